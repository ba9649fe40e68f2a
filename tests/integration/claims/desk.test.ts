import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { ClaimDesk } from '../../../instance-server/modules/claims/claim.desk.js';
import { ClaimKind } from '../../../instance-server/modules/claims/claim.kind.js';
import { Greeting } from '../../../instance-server/modules/claims/greeting.js';
import type { ClaimAnswer, ClaimItem } from '../../../instance-server/modules/claims/claim.messages.js';
import type { KnownLink, LinkDirectory } from '../../../instance-server/modules/links/index.js';
import { InstanceSecret } from '../../../instance-server/platform/crypto.js';
import { Database } from '../../../instance-server/platform/database/database.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { createInstance } from '../../testkit/instance.js';
import { Records } from '../../testkit/records.js';

const NOW = new Date('2027-06-01T06:00:00.000Z');
const HOUR = 3_600_000;
const LIMITS = { number: 4, days: 31, horizonDays: 100 };
const at = (hour: number): string => new Date(NOW.getTime() + hour * HOUR).toISOString();

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let records: Records;
let database: Database;
const partners: { link: KnownLink; couplings: Map<string, string> }[] = [];

beforeAll(async () => {
  const instance = cleanup.own(await createInstance({ code: 'keeper' }), (made) => made.drop());
  records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const options = { url: instance.databaseUrl, secret: new InstanceSecret(instance.secret), poolSize: 3, statementTimeoutMs: 10_000 };
  database = cleanup.own(await Database.open(options), (opened) => opened.close());
  for (const code of ['east', 'west']) {
    const [link] = await records.query<{ id: string }>(
      `insert into link (id, partner_code, partner_name, partner_url, partner_endpoint, state, created_at, updated_at)
       values (gen_random_uuid(), $1, $1, '', '', 'ACTIVE', now(), now()) returning id`,
      [code],
    );
    partners.push({ link: { id: link?.id ?? '', partnerCode: code, isOpen: true } as KnownLink, couplings: new Map() });
  }
});

/** A guide whose claims this house keeps, coupled with both partners. */
async function coupledGuide(): Promise<string> {
  const guideId = await records.guide();
  for (const { link, couplings } of partners) {
    const { id } = await records.seed.coupling({ id: randomUUID(), link: { partnerCode: link.partnerCode }, guideId, globalId: `g_${guideId}` });
    couplings.set(guideId, id);
  }
  return guideId;
}

const desk = (heard = (_linkId: string) => true): ClaimKind => {
  const directory = { byId: (id: string) => partners.find(({ link }) => link.id === id)?.link } as LinkDirectory;
  return new ClaimKind(new ClaimDesk(new Greeting(directory, heard), 'keeper', LIMITS));
};

interface Said {
  from: number;
  id: string;
  version: number;
  /** Hours; none for a release. */
  hours: [number, number] | null;
  incarnation?: number;
  verified?: true;
}

async function say(guideId: string, said: Said, kind = desk()): Promise<ClaimAnswer> {
  const partner = partners[said.from] as (typeof partners)[number];
  const couplingId = partner.couplings.get(guideId) ?? '';
  const [start, end] = said.hours ? [at(said.hours[0]), at(said.hours[1])] : [null, null];
  const item: ClaimItem = { kind: 'CLAIM', couplingId, recordId: said.id, version: said.version, start, end, ...(said.verified && { verified: true }) };
  const couplings = new Map([[couplingId, { id: couplingId, guideId, state: 'ACTIVE', paused: false }]]);
  return database.worker.transaction(async (tx) => {
    const [answer] = await kind.apply(tx, { link: partner.link, incarnation: said.incarnation ?? 1, now: NOW, couplings }, [item]);
    return answer as ClaimAnswer;
  });
}

const kept = (guideId: string) =>
  records.query<{ holder: string; id: string; version: number; state: string; start_at: Date | null; end_at: Date | null }>(
    'select holder, id, version, state, start_at, end_at from claim where guide_id = $1',
    [guideId],
  );

test('the first of two claims is verified, the second is a conflict until nothing stands in its way', async () => {
  const guideId = await coupledGuide();
  const [first, second] = [randomUUID(), randomUUID()];
  expect(await say(guideId, { from: 0, id: first, version: 1, hours: [1, 3] })).toEqual({ verdict: 'VERIFIED' });
  expect(await say(guideId, { from: 1, id: second, version: 1, hours: [2, 4] })).toEqual({ verdict: 'CONFLICT' });
  expect(await say(guideId, { from: 1, id: randomUUID(), version: 1, hours: [3, 4] })).toEqual({ verdict: 'VERIFIED' });
  expect(await say(guideId, { from: 0, id: first, version: 2, hours: null })).toEqual({ verdict: 'RELEASED' });
  // The touching one still stands in its way.
  expect((await kept(guideId)).find(({ id }) => id === second)?.state).toBe('CONFLICT');
  expect(await say(guideId, { from: 1, id: second, version: 2, hours: [2, 3] })).toEqual({ verdict: 'VERIFIED' });
});

test('a release promotes who asked first, and tells his house', async () => {
  const guideId = await coupledGuide();
  const [first, second] = [randomUUID(), randomUUID()];
  await say(guideId, { from: 0, id: first, version: 1, hours: [1, 3] });
  await say(guideId, { from: 1, id: second, version: 1, hours: [2, 4] });
  await say(guideId, { from: 0, id: first, version: 2, hours: null });
  expect((await kept(guideId)).find(({ id }) => id === second)?.state).toBe('VERIFIED');
  const told = await records.query('select kind, coupling_id from outbox where record_id = $1', [second]);
  expect(told).toEqual([{ kind: 'VERDICT', coupling_id: partners[1]?.couplings.get(guideId) }]);
});

test('a move is one update; one that conflicts gives the old interval up', async () => {
  const guideId = await coupledGuide();
  const [mover, other, third] = [randomUUID(), randomUUID(), randomUUID()];
  await say(guideId, { from: 0, id: mover, version: 1, hours: [1, 3] });
  await say(guideId, { from: 1, id: other, version: 1, hours: [5, 7] });
  expect(await say(guideId, { from: 0, id: mover, version: 2, hours: [2, 5] })).toEqual({ verdict: 'VERIFIED' });
  expect(await say(guideId, { from: 0, id: mover, version: 3, hours: [4, 6] })).toEqual({ verdict: 'CONFLICT' });
  expect(await say(guideId, { from: 1, id: third, version: 1, hours: [2, 4] })).toEqual({ verdict: 'VERIFIED' });
});

test('what is said again is answered again; what is older is not heard, and the later version is named', async () => {
  const guideId = await coupledGuide();
  const id = randomUUID();
  await say(guideId, { from: 0, id, version: 2, hours: [1, 3] });
  expect(await say(guideId, { from: 0, id, version: 2, hours: [1, 3] })).toEqual({ verdict: 'VERIFIED' });
  expect(await say(guideId, { from: 0, id, version: 1, hours: [8, 9] })).toEqual({ verdict: 'STALE', version: 2 });
  expect(await say(guideId, { from: 0, id, version: 1, hours: [8, 9], incarnation: 2 })).toEqual({ verdict: 'VERIFIED' });
  expect(await say(guideId, { from: 0, id, version: 9, hours: [1, 3], incarnation: 1 })).toEqual({ verdict: 'FORGOTTEN' });
  await say(guideId, { from: 0, id, version: 3, hours: null, incarnation: 2 });
  expect(await say(guideId, { from: 0, id, version: 2, hours: [8, 9], incarnation: 2 })).toEqual({ verdict: 'STALE', version: 3 });
});

test('a partner cannot claim more than so many times, longer or later than agreed', async () => {
  const guideId = await coupledGuide();
  for (let hour = 0; hour < LIMITS.number; hour += 1) await say(guideId, { from: 0, id: randomUUID(), version: 1, hours: [hour, hour + 1] });
  const refused = { first: { code: 'LIMIT_EXCEEDED', index: 0 } };
  await expect(say(guideId, { from: 0, id: randomUUID(), version: 1, hours: [50, 51] })).rejects.toMatchObject(refused);
  expect(await say(guideId, { from: 1, id: randomUUID(), version: 1, hours: [50, 51] })).toEqual({ verdict: 'VERIFIED' });
  await expect(say(guideId, { from: 1, id: randomUUID(), version: 1, hours: [60, 60 + 31 * 24 + 1] })).rejects.toMatchObject(refused);
  await expect(say(guideId, { from: 1, id: randomUUID(), version: 1, hours: [100 * 24, 100 * 24 + 1] })).rejects.toMatchObject(refused);
});

test('a claim of one guide cannot be made another’s', async () => {
  const [guideId, other] = [await coupledGuide(), await coupledGuide()];
  const id = randomUUID();
  await say(guideId, { from: 0, id, version: 1, hours: [1, 3] });
  await expect(say(other, { from: 0, id, version: 2, hours: [1, 3] })).rejects.toMatchObject({ first: { code: 'NOT_YOURS' } });
});

test('nothing is granted before the other houses were heard; what was granted before stays so', async () => {
  const guideId = await coupledGuide();
  const id = randomUUID();
  await say(guideId, { from: 0, id, version: 1, hours: [1, 3] });
  const deaf = desk((linkId) => linkId !== partners[1]?.link.id);
  expect(await say(guideId, { from: 0, id, version: 1, hours: [1, 3] }, deaf)).toEqual({ verdict: 'VERIFIED' });
  await expect(say(guideId, { from: 0, id: randomUUID(), version: 1, hours: [8, 9] }, deaf)).rejects.toMatchObject({ first: { code: 'LATER' } });
  // What was granted before is registered again at any time.
  expect(await say(guideId, { from: 0, id: randomUUID(), version: 1, hours: [10, 11], verified: true }, deaf)).toEqual({ verdict: 'VERIFIED' });
  expect(await say(guideId, { from: 1, id: randomUUID(), version: 1, hours: [8, 9] }, deaf)).toEqual({ verdict: 'VERIFIED' });
  expect(await say(guideId, { from: 0, id, version: 2, hours: null }, deaf)).toEqual({ verdict: 'RELEASED' });
});

test('a house that does not keep the claims says so', async () => {
  const guideId = await coupledGuide();
  await records.query(`update guide set claim_keeper = 'east', keeper_epoch = 2 where id = $1`, [guideId]);
  expect(await say(guideId, { from: 1, id: randomUUID(), version: 1, hours: [1, 3] })).toEqual({ verdict: 'NOT_KEEPER' });
});

/** What two houses say of three claims each, in any order and repeated. */
const sayings = fc
  .array(
    fc.record({
      from: fc.integer({ min: 0, max: 1 }),
      number: fc.integer({ min: 0, max: 2 }),
      version: fc.integer({ min: 1, max: 4 }),
      hours: fc.option(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 4 })), { freq: 4 }),
    }),
    { minLength: 1, maxLength: 16 },
  )
  // One version says one thing, however often it is said.
  .map((all) => all.map((one) => all.find((same) => same.from === one.from && same.number === one.number && same.version === one.version) ?? one));

test('in whatever order claims, moves and releases arrive: the newest stands, no two verified overlap, and nobody waits for free time', async () => {
  await fc.assert(
    fc.asyncProperty(sayings, async (all) => {
      const guideId = await coupledGuide();
      const ids = [0, 1].map(() => [randomUUID(), randomUUID(), randomUUID()]);
      for (const { from, number, version, hours } of all) {
        await say(guideId, { from, id: ids[from]?.[number] ?? '', version, hours: hours && [hours[0], hours[0] + hours[1]] });
        const overlapping = await records.query(
          `select 1 from claim a join claim b on b.guide_id = a.guide_id and (a.holder, a.id) < (b.holder, b.id) and a.start_at < b.end_at and b.start_at < a.end_at
           where a.guide_id = $1 and a.state = 'VERIFIED' and b.state = 'VERIFIED'`,
          [guideId],
        );
        expect(overlapping).toEqual([]);
      }
      const claims = await kept(guideId);
      for (const { holder, id, version, state, start_at, end_at } of claims) {
        const from = holder === 'east' ? 0 : 1;
        const ofClaim = all.filter((one) => one.from === from && ids[from]?.[one.number] === id);
        const newest = ofClaim.reduce((one, other) => (other.version > one.version ? other : one));
        expect({ version, released: state === 'RELEASED', start: start_at?.toISOString() ?? null }).toEqual({
          version: newest.version,
          released: newest.hours === null,
          start: newest.hours && at(newest.hours[0]),
        });
        if (state !== 'CONFLICT' || !start_at || !end_at) continue;
        const against = claims.filter((other) => other.state === 'VERIFIED' && other.start_at && other.end_at && other.start_at < end_at && start_at < other.end_at);
        expect(against.length).toBeGreaterThan(0);
      }
    }),
    { numRuns: 40 },
  );
}, 60_000);
