import { createHash, randomUUID } from 'node:crypto';
import { InstanceSecret } from '../../../instance-server/platform/crypto.js';
import { privateKeyFromPem } from '../../../instance-server/platform/keys.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { client } from '../../testkit/client.js';
import { startInstanceHere } from '../../testkit/instance.js';
import { callOperator, gatewayCredential, sign, testKey, type TestKey } from '../../testkit/keys.js';
import { Session } from '../../testkit/session.js';
import { until } from '../../testkit/until.js';
import { couple, type Guide, openPair, type Side } from './support/pair.js';

/* Keys of a link change while calls and grants go on, are lost, or come late. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let a: Side;
let b: Side;
let guide: Guide;
let other: Guide;
let couplingId: string;
beforeAll(async () => {
  ({ a, b } = await openPair(cleanup));
  [guide, other] = [await a.guide(), await b.guide()];
  couplingId = await couple(a, b, guide, other);
});
afterEach(() => {
  a.way.fate = 'pass';
  b.way.fate = 'pass';
});

type SigningKey = Pick<TestKey, 'kid' | 'privateKey'>;
interface KeyRow {
  kid: string;
  inUse: boolean;
  /** Hours from the first use of the one after it. */
  accepted: number | null;
}

const keysOf = (side: Side, whose: 'OWN' | 'PARTNER') =>
  side.records.query<KeyRow>(
    `select kid, in_use_since is not null as "inUse",
       round(extract(epoch from accepted_until - (select max(n.in_use_since) from link_key n where n.side = k.side)) / 3600)::int as accepted
     from link_key k where side = $1 order by created_at`,
    [whose],
  );

/** The keys we sign with, or will; newest last. */
async function ownKeys(side: Side): Promise<SigningKey[]> {
  const rows = await side.records.query<{ kid: string; private_key_encrypted: string }>(`select kid, private_key_encrypted from link_key where side = 'OWN' order by created_at`);
  return rows.map(({ kid, private_key_encrypted }) => ({ kid, privateKey: privateKeyFromPem(new InstanceSecret(side.instance.secret).decrypt(private_key_encrypted)) }));
}
const newest = async (side: Side): Promise<SigningKey> => (await ownKeys(side)).at(-1) as SigningKey;

/** A signed call; what it asks for does not exist, so that 404 says that its signature was accepted. */
async function call(from: Side, to: Side, key: SigningKey, { action = 'couplings/end', input = { couplingId: randomUUID() } as unknown, url = to.server.url } = {}): Promise<number> {
  const [link] = await from.records.query<{ id: string }>(`select id from link where state = 'ACTIVE'`);
  const path = `/partner/v1/${action}`;
  const body = JSON.stringify(input);
  const claims = { iss: from.code, aud: to.code, link: link?.id, jti: randomUUID(), body: createHash('sha256').update(body).digest('base64url'), path };
  const token = sign({ typ: 'lotse-partner+jwt', key, claims, now: to.clock.now() });
  return (await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body })).status;
}

test('a new key signs once the partner has it; the old one is accepted for a day, and brings no other in', async () => {
  const old = await newest(a);
  const rotated = await a.operator('links/rotate', { partner: 'beta' });
  const { kid } = await newest(a);
  expect(rotated).toEqual({ kid, inUse: true });
  expect(kid).not.toBe(old.kid);
  const expected = [{ kid: old.kid, inUse: true, accepted: 24 }, { kid, inUse: true, accepted: null }];
  expect(await keysOf(a, 'OWN')).toEqual(expected);
  expect(await keysOf(b, 'PARTNER')).toEqual(expected);
  expect(await call(a, b, old)).toBe(404);
  expect(await call(a, b, await newest(a))).toBe(404);
  const { kty, crv, x, y } = testKey().publicJwk;
  expect(await call(a, b, old, { action: 'link/rotate', input: { publicJwk: { kty, crv, x, y } } })).toBe(401);
  expect(await call(a, b, testKey())).toBe(401);
  b.clock.advance({ hours: 23, minutes: 59 });
  expect(await call(a, b, old)).toBe(404);
  b.clock.advance({ minutes: 2 });
  expect(await call(a, b, old)).toBe(401);
  expect(await call(a, b, await newest(a))).toBe(404);
  await b.records.query(`select enqueue_job('clean-up', '{}', 'clean-up-now')`);
  await until(async () => (await keysOf(b, 'PARTNER')).length === 1);
  b.clock.reset();
});

test.each(['lose call', 'lose answer'] as const)('with a way that says "%s" the old key goes on, and the same new one is handed over later', async (fate) => {
  const old = await newest(a);
  b.way.fate = fate;
  const first = await a.operator('links/rotate', { partner: 'beta' });
  const again = await a.operator('links/rotate', { partner: 'beta' });
  expect([first, again]).toEqual([{ kid: first['kid'], inUse: false }, { kid: first['kid'], inUse: false }]);
  expect((await keysOf(b, 'PARTNER')).filter(({ inUse }) => !inUse).map(({ kid }) => kid)).toEqual(fate === 'lose answer' ? [first['kid']] : []);
  b.way.fate = 'pass';
  expect(await call(a, b, old)).toBe(404);
  // What it was not told of it learns from the job that runs every minute.
  await until(async () => {
    await a.records.query(`select enqueue_job('tell-partners', '{}', 'tell-partners-now')`);
    return (await keysOf(a, 'OWN')).at(-1)?.inUse;
  });
  expect((await newest(a)).kid).toBe(first['kid']);
  await until(async () => (await keysOf(b, 'PARTNER')).some((key) => key.kid === first['kid'] && key.inUse && key.accepted === null));
});

test('is done while the link is suspended, too', async () => {
  await b.operator('links/suspend', { partner: 'alpha' });
  expect(await a.operator('links/rotate', { partner: 'beta' })).toMatchObject({ inUse: true });
  await b.operator('links/resume', { partner: 'alpha' });
});

test('one that was taken back before the partner answered does not end the one in use', async () => {
  b.way.fate = 'lose call';
  expect(await a.operator('links/rotate', { partner: 'beta' })).toMatchObject({ inUse: false });
  const before = await keysOf(a, 'OWN');
  b.way.fate = 'pass';
  // What an operator's renewal does, who is first.
  const renewal = await Session.begin(a.instance.database);
  await renewal.run(`select 1 from link where state = 'ACTIVE' for no key update`);
  await a.records.query(`select enqueue_job('tell-partners', '{}', 'tell-partners-now')`);
  await renewal.isWaitedFor();
  await renewal.run(`delete from link_key where side = 'OWN' and in_use_since is null`).finally(() => renewal.end());
  await a.operator('links/rotate', { partner: 'beta' });
  await until(async () => (await keysOf(a, 'OWN')).at(-1)?.inUse);
  // The one before it runs out with this rotation, and did not with the one that came to nothing.
  const [used] = before.slice(-2);
  expect(await a.records.query<{ at: boolean }>(`select accepted_until = (select max(in_use_since) + interval '24 hours' from link_key where side = 'OWN') as at from link_key where kid = $1`, [used?.kid])).toEqual([{ at: true }]);
});

test('needs an active link', async () => {
  expect((await callOperator(a.server, 'links/rotate', { partner: 'nobody' })).body).toMatchObject({ code: 'NOT_FOUND', field: 'partner' });
  await a.operator('links/propose', { partner: 'gamma' });
  expect((await callOperator(a.server, 'links/rotate', { partner: 'gamma' })).body).toMatchObject({ code: 'NOT_FOUND', field: 'partner' });
});

test('a replica that has not heard of the new key yet looks it up', async () => {
  const second = cleanup.own(await startInstanceHere(b.instance, { clock: b.clock }), (server) => server.stop());
  const key = testKey();
  const { kty, crv, x, y } = key.publicJwk;
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  await b.records.query(`insert into link_key (link_id, kid, side, public_jwk, created_at) select link_id, $1, 'PARTNER', $2, now() from link_key where side = 'PARTNER' limit 1`, [kid, JSON.stringify({ kty, crv, x, y })]);
  expect(await call(a, b, { kid, privateKey: key.privateKey }, { url: second.url })).toBe(404);
  // It was used: that one is alpha's now, as far as beta knows. Take it back for the tests after this.
  await b.records.query('delete from link_key where kid = $1', [kid]);
  await b.records.query(`update link_key set accepted_until = null where side = 'PARTNER' and accepted_until = (select max(accepted_until) from link_key where side = 'PARTNER')`);
  await b.records.query(`select pg_notify('lotse_event', '{"kind":"links"}')`);
});

test('a house whose copy is older than the last rotation gets back in by its operators, without a new link', async () => {
  const [old] = (await ownKeys(a)).slice(-1);
  await a.operator('links/rotate', { partner: 'beta' });
  // As it was: the copy knows the old key alone, and beta accepts that no longer.
  await a.records.query(`delete from link_key where side = 'OWN' and kid <> $1`, [old?.kid]);
  await a.records.query(`update link_key set accepted_until = null where side = 'OWN'`);
  await b.records.query(`delete from link_key where side = 'PARTNER' and accepted_until is not null`);
  for (const side of [a, b]) await side.records.query(`select pg_notify('lotse_event', '{"kind":"links"}')`);
  await until(async () => (await call(a, b, old as SigningKey)) === 401);
  const offer = await a.operator('links/renew', { partner: 'beta' });
  expect((await callOperator(b.server, 'links/pin', { offer: { ...offer, linkId: randomUUID() } })).body).toMatchObject({ code: 'NOT_FOUND', field: 'offer.linkId' });
  expect(await b.operator('links/pin', { offer })).toMatchObject({ partnerCode: 'alpha', state: 'ACTIVE' });
  expect(await call(a, b, await newest(a))).toBe(404);
  expect((await a.change('pauseCoupling', { couplingId })).coupling?.state).toBe('PAUSED');
  await until(async () => (await b.coupling(couplingId))?.paused_there);
  await a.change('resumeCoupling', { couplingId });
});

test('under load, both sides at once and again and again, no call and no grant fails', async () => {
  const before = [a.way.answered.length, b.way.answered.length];
  const grants: number[] = [];
  const changes: string[] = [];
  const load = { isOver: false };
  const federation = (side: Side) => client(side.server.url, { path: '/federation', headers: { 'x-lotse-gateway': gatewayCredential(side.code) } });
  const pausing = async (side: Side): Promise<void> => {
    while (!load.isOver) {
      for (const mutation of ['pauseCoupling', 'resumeCoupling']) changes.push((await side.change(mutation, { couplingId })).__typename);
    }
  };
  const granting = async (from: Side, to: Side, token: string): Promise<void> => {
    while (!load.isOver) {
      const asked = await federation(from).query<{ me: { guide: { linkedGrants: { token: string; globalId: string }[] } } }>('{ me { guide { linkedGrants { token globalId } } } }', {}, token);
      for (const grant of asked.data.me.guide.linkedGrants) {
        const shown = await federation(to).query<{ _entities: unknown[] }>(
          'query ($ids: [_Any!]!) { _entities(representations: $ids) { ... on Guide { calendar(range: { start: "2027-01-01T00:00:00Z", end: "2027-01-02T00:00:00Z" }) { id } } } }',
          { ids: [{ __typename: 'Guide', id: grant.globalId }] },
          grant.token,
        );
        grants.push(shown.data?._entities?.length === 1 ? shown.status : 0);
      }
    }
  };
  const all = Promise.all([pausing(a), pausing(b), granting(a, b, guide.token), granting(b, a, other.token)]);
  const rotations: unknown[] = [];
  for (let round = 0; round < 4; round += 1) {
    rotations.push(...(await Promise.all([a.operator('links/rotate', { partner: 'beta' }), b.operator('links/rotate', { partner: 'alpha' })])));
    const sofar = grants.length;
    await until(async () => grants.length > sofar + 10);
  }
  load.isOver = true;
  await all;
  expect(rotations.map((rotated) => (rotated as { inUse: boolean }).inUse)).toEqual(Array(8).fill(true));
  expect(new Set(rotations.map((rotated) => (rotated as { kid: string }).kid)).size).toBe(8);
  expect(new Set(grants)).toEqual(new Set([200]));
  expect(new Set(changes)).toEqual(new Set(['CouplingPayload']));
  const answered = [...a.way.answered.slice(before[0]), ...b.way.answered.slice(before[1])];
  expect(answered.filter(({ path }) => path.startsWith('/partner/v1/couplings/')).length).toBeGreaterThan(20);
  expect(answered.filter(({ status }) => status !== 200)).toEqual([]);
});
