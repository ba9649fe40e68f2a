import { randomUUID } from 'node:crypto';
import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import { assignment, Correspondent } from './support/correspondent.js';
import { openReplicatingHouse, type ReplicatingHouse } from './support/houses.js';

/* Houses are upgraded one by one: each has partners of the release before its own and of the one after it. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: ReplicatingHouse;
beforeAll(async () => {
  house = await openReplicatingHouse(cleanup, 'alpha', { SYNC_HEARTBEAT_MS: '300' });
});

interface Coupled {
  __typename: string;
  coupling?: { id: string; state: string };
}

async function change(mutation: string, input: Record<string, unknown>, token: string): Promise<Coupled | undefined> {
  const type = mutation === 'requestCoupling' ? 'RequestCouplingInput' : 'CouplingInput';
  const { data } = await house.api.query<Record<string, Coupled>>(`mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on CouplingPayload { coupling { id state } } } }`, { input }, token);
  return data?.[mutation];
}

const release = async (code: string): Promise<string | null | undefined> =>
  (await house.records.query<{ partner_release: string | null }>('select p.partner_release from sync_peer p join link l on l.id = p.link_id where l.partner_code = $1', [code]))[0]?.partner_release;
const delivered = (partner: Correspondent) =>
  partner.partner.received.filter(({ path }) => path === '/partner/v1/sync/deliver').flatMap(({ body }) => (JSON.parse(body) as { items: { kind: string; recordId: string }[] }).items);
const book = async (guideId: string, hour: number): Promise<string> => {
  const offerId = await house.records.offer();
  const booking = await house.run('createBooking', { offerId, time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds: [guideId] });
  return booking.assignments[0]?.id ?? '';
};

test('with a partner of the release before couplings come about, are held and end; what he does not know waits until he is newer', async () => {
  const old = await Correspondent.write(cleanup, house, 'older');
  const { partner } = old;
  const KNOWN = new Set(['couplings/request', 'couplings/accept', 'couplings/confirm', 'couplings/end', 'link/suspend', 'link/resume', 'link/end']);
  // It says nothing of where else the guide is coupled.
  partner.speak = (action) => (!KNOWN.has(action) ? { status: 404, body: { code: 'UNKNOWN_ACTION' } } : { status: 200, body: action === 'couplings/confirm' ? { ok: true, confirmed: false } : { ok: true } });
  // What it was asked before it spoke so is not what is tested.
  await until(async () => (await release('older')) === '1');
  const staff = await house.staff();
  const guideId = await house.records.guide();
  const { token } = await house.records.signedIn('GUIDE', { guideId });
  const requested = await change('requestCoupling', { idempotencyKey: randomUUID(), guideId, instance: 'older' }, staff);
  const couplingId = requested?.coupling?.id ?? '';
  expect((await old.call('couplings/accept', { couplingId, coupledWith: [] })).status).toBe(200);
  expect((await change('confirmCoupling', { couplingId }, token))?.coupling?.state).toBe('ACCEPTED');
  const identity = { globalId: `g_${couplingId}`, globalIdMintedAt: new Date().toISOString() };
  expect((await old.call('couplings/confirm', { couplingId, ...identity, coupledWith: [] })).body).toMatchObject({ ok: true, confirmed: true });
  expect(await house.records.query('select state from coupling where id = $1', [couplingId])).toEqual([{ state: 'ACTIVE' }]);

  const assignmentId = await book(guideId, 24);
  expect((await change('pauseCoupling', { couplingId }, staff))?.coupling?.state).toBe('PAUSED');
  expect((await change('resumeCoupling', { couplingId }, staff))?.coupling?.state).toBe('ACTIVE');
  expect(await house.operator.call('links/rotate', { partner: 'older' })).toMatchObject({ inUse: false });
  expect(delivered(old)).toEqual([]);
  const refused = 'select 1 from outbox where coupling_id = $1 and refused_code is not null';
  expect(await house.records.query(refused, [couplingId])).toEqual([]);

  partner.speak = undefined;
  await until(async () => (await release('older')) === '2');
  await until(() => Promise.resolve(delivered(old).some(({ recordId }) => recordId === assignmentId)));
  expect(new Set(delivered(old).map(({ kind }) => kind))).toEqual(new Set(['ASSIGNMENT', 'COUPLING', 'KEEPER', 'PROFILE']));
  expect((await change('endCoupling', { couplingId }, staff))?.coupling?.state).toBe('ENDED');
});

test('with a partner of the release after: what he says beyond what is known here is ignored in answers, refused in calls and items, and holds up nothing', async () => {
  const next = await Correspondent.write(cleanup, house, 'newer');
  const { couplingId, guideId } = await next.couple();
  next.partner.speak = (action, said) => {
    const more = { ...said, weather: { rain: true } };
    if (action !== 'sync/heartbeat') return { status: 200, body: more };
    return { status: 200, body: { ...more, release: 3, sent: { number: 0, id: null, at: 'noon' } } };
  };
  const assignmentId = await book(guideId, 48);
  await until(() => Promise.resolve(delivered(next).some(({ recordId }) => recordId === assignmentId)));
  await until(async () => (await release('newer')) === '3');
  await until(async () => (await house.records.query('select 1 from outbox where coupling_id = $1', [couplingId])).length === 0);

  const heartbeat = { incarnation: 1, release: 3, sent: { number: 0, id: null }, acked: 0, received: { incarnation: 1, number: 0, id: null }, complete: true };
  expect(await next.call('sync/heartbeat', heartbeat)).toMatchObject({ status: 200, body: { release: 2 } });
  expect(await next.call('sync/wishes', {})).toEqual({ status: 404, body: { code: 'UNKNOWN_ACTION' } });
  const refused = (item: number) => ({ status: 409, body: { code: 'ITEM_REFUSED', item, reason: 'MALFORMED' } });
  const good = assignment(couplingId);
  expect(await next.deliver([good, { kind: 'WISH', couplingId, recordId: randomUUID(), wish: 'rain' }])).toEqual(refused(1));
  expect(await next.deliver([{ ...good, mood: 'fine' }, good])).toEqual(refused(0));
  const { title: _title, ...less } = good;
  expect(await next.deliver([good, { ...less, recordId: randomUUID() }])).toEqual(refused(1));
  expect(await next.copies(couplingId)).toEqual([]);
  expect((await next.deliver([good])).status).toBe(200);
  expect(await next.copies(couplingId)).toMatchObject([{ id: good['recordId'], ended: false }]);
});
