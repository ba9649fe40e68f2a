import { randomUUID } from 'node:crypto';
import { Cleanup } from '../../testkit/cleanup.js';
import { testKey } from '../../testkit/keys.js';
import { assignment, Correspondent } from './support/correspondent.js';
import { openReplicatingHouse, type ReplicatingHouse } from './support/houses.js';

/* Whatever a partner, or somebody who says that he is one, gets wrong: a stable code, counted once, logged without a word of his, and nothing of it applied. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

/** In everything that is refused, wherever it fits. */
const SECRET = 'zqsecret0of0somebody';

let house: ReplicatingHouse;
let mallory: Correspondent;
let other: Correspondent;
let couplingId: string;
let theirs: string;
beforeAll(async () => {
  house = await openReplicatingHouse(cleanup, 'alpha');
  mallory = await Correspondent.write(cleanup, house, 'mallory');
  other = await Correspondent.write(cleanup, house, 'gamma');
  ({ couplingId } = await mallory.couple());
  ({ couplingId: theirs } = await other.couple());
});

const TABLES = 'audit_entry assignment_dispute availability_rule claim coupling foreign_booking guide guide_alias guide_assignment link link_key lost_booking profile_stamp sync_state'.split(' ');

/** All that a partner could change. */
async function contents(): Promise<Record<string, unknown>> {
  const found = TABLES.map(async (table) => [table, await house.records.query(`select to_jsonb(t) as row from ${table} t order by to_jsonb(t)::text`)] as const);
  const numbers = await house.records.query('select link_id, received_number, received_id, partner_incarnation from sync_peer order by 1');
  return { ...Object.fromEntries(await Promise.all(found)), numbers };
}

const metrics = async (): Promise<string> => (await fetch(`${house.url}/metrics`)).text();
const applied = async (): Promise<string[]> => (await metrics()).match(/^lotse_sync_applied_total.*$/gm) ?? [];

async function counted(): Promise<Map<string, number>> {
  const text = await metrics();
  const lines = [...text.matchAll(/^lotse_sync_refused_total\{partner="([^"]*)",code="([^"]*)",direction="in"\} (\d+)$/gm)];
  return new Map(lines.map(([, partner, code, count]) => [`${partner} ${code}`, Number(count)]));
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

const post = async (path: string, headers: Record<string, string>, body: string): Promise<Answer> => {
  const response = await fetch(`${house.url}/partner/v1/${path}`, { method: 'POST', headers, body });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const seconds = (): number => Math.floor(Date.now() / 1_000);
const stamp = (ahead: number): string => `${String(Date.now() + ahead).padStart(15, '0')}-00000000-mallory`;
const profile = (id: string, ahead = 0) => ({ kind: 'PROFILE', couplingId: id, recordId: id, fields: { phone: { stamp: stamp(ahead), value: SECRET } } });
const good = () => [profile(couplingId), assignment(couplingId, { title: SECRET })];
/** A batch that begins with what could be taken. */
const batch = (...bad: unknown[]): Promise<Answer> => mallory.deliver([...good(), ...bad]);
const refusedItem = (reason: string): Answer => ({ status: 409, body: { code: 'ITEM_REFUSED', item: 2, reason } });
const heartbeat = (change: Record<string, unknown>) => ({ incarnation: 1, release: 2, sent: { number: 0, id: null }, acked: 0, received: { incarnation: 1, number: 0, id: null }, complete: true, ...change });
const coming = { start: '2027-06-01T12:00:00.000Z', end: '2027-06-01T13:00:00.000Z' };

const UNKNOWN: Answer = { status: 401, body: { code: 'UNAUTHENTICATED' } };
const MALFORMED: Answer = { status: 400, body: { code: 'MALFORMED' } };

test.each<[string, () => Promise<Answer>, Answer, { partner?: string; code?: string; action?: string }]>([
  ['nobody’s token', () => post('sync/deliver', { 'content-type': 'application/json' }, `{"${SECRET}":1}`), UNKNOWN, { partner: '' }],
  ['a header that is no token', () => post('sync/deliver', { 'content-type': 'application/json', authorization: `Basic ${SECRET}` }, '{}'), UNKNOWN, { partner: '' }],
  ['a house that is not linked', () => mallory.call('sync/deliver', {}, { iss: SECRET }), UNKNOWN, { partner: '' }],
  ['a signature that is not the partner’s', () => mallory.partner.call({ ...mallory.link, key: { ...testKey(), kid: mallory.link.key.kid } }, 'sync/deliver', {}), UNKNOWN, { partner: '' }],
  ['another partner’s name', () => mallory.call('sync/deliver', {}, { iss: 'gamma' }), UNKNOWN, { partner: '' }],
  ['another body than was signed', () => mallory.call('sync/deliver', { SECRET }, { body: 'x' }), UNKNOWN, {}],
  ['another link than it was signed for', () => mallory.call('sync/deliver', {}, { link: other.link.id }), UNKNOWN, {}],
  ['a token that has expired', () => mallory.call('sync/deliver', {}, { iat: seconds() - 120, exp: seconds() - 60 }), { status: 401, body: { code: 'CLOCK_SKEWED' } }, {}],
  ['an action that is none', () => mallory.call(SECRET, {}), { status: 404, body: { code: 'UNKNOWN_ACTION' } }, { action: 'unknown' }],
  ['a body that is no JSON object', () => mallory.call('sync/deliver', SECRET), MALFORMED, {}],
  ['a content type that is none', () => post('sync/deliver', { 'content-type': 'text/plain' }, SECRET), MALFORMED, { partner: '' }],
  ['too much', () => mallory.deliver([assignment(couplingId, { title: SECRET.repeat(12_000) })]), { status: 413, body: { code: 'TOO_LARGE' } }, { partner: '' }],
  ['a member that is not listed', () => batch(assignment(couplingId, { customer: SECRET })), refusedItem('MALFORMED'), { code: 'MALFORMED' }],
  ['a kind that nobody knows', () => batch({ kind: SECRET.slice(0, 16), couplingId, recordId: randomUUID() }), refusedItem('MALFORMED'), { code: 'MALFORMED' }],
  ['another house’s coupling', () => batch(assignment(theirs, { title: SECRET })), refusedItem('COUPLING_UNKNOWN'), { code: 'COUPLING_UNKNOWN' }],
  ['a guide who is not coupled', () => batch(assignment(randomUUID(), { title: SECRET })), refusedItem('COUPLING_UNKNOWN'), { code: 'COUPLING_UNKNOWN' }],
  ['a stamp far ahead', () => mallory.deliver([assignment(couplingId, { title: SECRET }), profile(couplingId, 120_000)]), { status: 409, body: { code: 'ITEM_REFUSED', item: 1, reason: 'CLOCK_AHEAD' } }, { code: 'CLOCK_AHEAD' }],
  ['a booking beyond the limits', () => batch(assignment(couplingId, { title: SECRET, end: '2027-08-01T12:00:00.000Z' })), refusedItem('LIMIT_EXCEEDED'), { code: 'LIMIT_EXCEEDED' }],
  ['a claim to another house’s coupling', () => mallory.call('claims/claim', { couplingId: theirs, recordId: randomUUID(), incarnation: 1, version: 1, ...coming }), { status: 404, body: { code: 'NOT_FOUND' } }, { action: 'claims/claim' }],
  ['an incarnation that cannot be', () => mallory.call('sync/heartbeat', heartbeat({ received: { incarnation: 5_000, number: 0, id: null } })), MALFORMED, { action: 'sync/heartbeat' }],
  ['another house’s coupling, ended', () => mallory.call('couplings/end', { couplingId: theirs }), { status: 404, body: { code: 'NOT_FOUND' } }, { action: 'couplings/end' }],
  ['another house’s coupling, asked for again', () => mallory.call('couplings/request', { couplingId: theirs, name: SECRET, coupledWith: [] }), { status: 404, body: { code: 'NOT_FOUND' } }, { action: 'couplings/request' }],
  ['a guide of houses that are not linked', () => mallory.call('couplings/request', { couplingId: randomUUID(), name: SECRET, coupledWith: ['zqsecret'] }), { status: 409, body: { code: 'NOT_PAIRWISE_LINKED' } }, { action: 'couplings/request' }],
  ['a key that is none', () => mallory.call('link/rotate', { publicJwk: { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) } }), MALFORMED, { action: 'link/rotate' }],
])('%s', async (_what, call, answer, { partner = 'mallory', code = String(answer.body['code']), action = 'sync/deliver' }) => {
  const [before, appliedBefore, countedBefore] = [await contents(), await applied(), await counted()];
  house.server.log.length = 0;
  expect(await call()).toEqual(answer);
  expect([await contents(), await applied()]).toEqual([before, appliedBefore]);
  const more = [...(await counted())].filter(([name, count]) => count !== countedBefore.get(name)).map(([name, count]) => [name, count - (countedBefore.get(name) ?? 0)]);
  expect(more).toEqual([[`${partner} ${code}`, 1]]);
  const lines = house.server.log.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === 'a partner call was refused');
  expect(lines).toEqual([{ level: 40, time: expect.any(Number), pid: expect.any(Number), hostname: expect.any(String), partner, action, code, msg: 'a partner call was refused' }]);
  expect(house.server.log.join('\n')).not.toMatch(/zqsecret/i);
});

test('a call that comes twice is counted, and has no second effect', async () => {
  const body = { incarnation: 1, number: 1, id: randomUUID(), items: [assignment(couplingId)], complete: true };
  const jti = randomUUID();
  expect((await mallory.call('sync/deliver', body, { jti })).status).toBe(200);
  const [before, countedBefore] = [await contents(), await counted()];
  expect(await mallory.call('sync/deliver', body, { jti })).toEqual({ status: 409, body: { code: 'REPLAYED' } });
  expect(await contents()).toEqual(before);
  expect((await counted()).get('mallory REPLAYED')).toBe((countedBefore.get('mallory REPLAYED') ?? 0) + 1);
});

test('requests for couplings: no more than two hundred wait, also of those that come at once; the same one at once is one', async () => {
  const request = (id: string) => mallory.call('couplings/request', { couplingId: id, name: 'Somebody', coupledWith: [] });
  await house.records.query(
    `insert into coupling (id, link_id, state, requested_here, requested_name, created_at, updated_at) select gen_random_uuid(), $1, 'REQUESTED', false, 'Somebody', now(), now() from generate_series(1, 197)`,
    [mallory.link.id],
  );
  const same = randomUUID();
  expect((await Promise.all([same, same, same].map(request))).map(({ status }) => status)).toEqual([200, 200, 200]);
  const answers = await Promise.all(Array.from({ length: 6 }, () => request(randomUUID())));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429, 429, 429]);
  expect(answers.find(({ status }) => status === 429)?.body).toEqual({ code: 'TOO_MANY_REQUESTS' });
  const waiting = `select count(*)::int as count from coupling where link_id = $1 and state = 'REQUESTED'`;
  expect(await house.records.query(waiting, [mallory.link.id])).toEqual([{ count: 200 }]);
});
