import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import { Correspondent } from './support/correspondent.js';
import { openReplicatingHouse } from './support/houses.js';

/* The first full transfer of a coupling goes in bounded batches, and goes on where it was whenever it is interrupted. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

/** More than four batches. */
const COUNT = 1_700;

interface Batch {
  number: number;
  id: string;
  complete: boolean;
  items: { kind: string; recordId: string; start: string; version: number }[];
}

test('interrupted by the partner, by lost answers and by the end of the process, it arrives whole and each batch has one effect', async () => {
  const house = await openReplicatingHouse(cleanup, 'alpha', { SYNC_HEARTBEAT_MS: '300' });
  const partner = await Correspondent.write(cleanup, house, 'mallory');
  const guideId = await house.records.guide();
  const offerId = await house.records.offer({ title: 'Night Tour' });
  const bookings = await house.records.seed.bookings(
    Array.from({ length: COUNT }, (_, index) => ({ offerId, start: at(index * 2), end: at(index * 2 + 1), customer: { name: 'Ada' }, guideIds: [guideId] })),
  );
  const all = bookings.flatMap(({ assignmentIds }) => assignmentIds);
  const batches = (): Batch[] => partner.partner.received.filter(({ path }) => path === '/partner/v1/sync/deliver').map(({ body }) => JSON.parse(body) as Batch);
  const lost = { status: 500, body: {} };
  /** After so many batches nothing is answered any more. */
  let answered = 1;
  partner.partner.speak = (action) => (action === 'sync/deliver' && batches().length > answered ? lost : undefined);
  await partner.couple(guideId);

  await until(() => Promise.resolve(batches().length >= 2));
  await house.stop();
  answered = batches().length + 1;
  await house.start();
  await until(() => Promise.resolve(batches().length > answered + 1), 20_000);
  // Changed while it is under way: what comes is what it is then. Which go first is chance.
  const told = new Set(batches().flatMap(({ items }) => items.map(({ recordId }) => recordId)));
  const changed = all.findLastIndex((id) => !told.has(id));
  await house.records.query(`update guide_assignment set start_at = start_at + interval '30 minutes', version = version + 1 where id = $1`, [all[changed]]);
  partner.partner.speak = undefined;
  await until(async () => (await house.records.query('select 1 from outbox')).length === 0, 30_000);

  const sent = batches();
  expect(Math.max(...sent.map(({ items }) => items.length))).toBe(400);
  expect(Math.max(...partner.partner.received.map(({ body }) => Buffer.byteLength(body)))).toBeLessThan(161 * 1024);
  // One id to a number, however often it came, and no number left out.
  const ids = Map.groupBy(sent, ({ number }) => number);
  expect([...ids.keys()].sort((one, other) => one - other)).toEqual([...ids.keys()].map((_, index) => index + 1));
  for (const same of ids.values()) expect(new Set(same.map(({ id }) => id)).size).toBe(1);
  const assignments = sent.flatMap(({ items }) => items.filter(({ kind }) => kind === 'ASSIGNMENT'));
  const last = new Map(assignments.map((item) => [item.recordId, item]));
  expect([...last.keys()].sort()).toEqual([...all].sort());
  expect(last.get(all[changed] ?? '')).toMatchObject({ version: 2, start: new Date(at(changed * 2).getTime() + 1_800_000).toISOString() });
  // What was acknowledged is not sent again.
  const first = new Set(sent[0]?.items.map(({ recordId }) => recordId));
  expect(sent.slice(1).flatMap(({ items }) => items.filter(({ kind, recordId }) => kind === 'ASSIGNMENT' && first.has(recordId)))).toEqual([]);
  expect([...new Set(sent.filter(({ complete }) => complete).map(({ number }) => number))]).toEqual([ids.size]);
});

test('a partner who has always forgotten everything is told all of it twenty times within an hour, and no more', async () => {
  const house = await openReplicatingHouse(cleanup, 'gamma', { SYNC_HEARTBEAT_MS: '300' });
  const partner = await Correspondent.write(cleanup, house, 'oblivious');
  const deliveries = (): number => partner.partner.received.filter(({ path }) => path === '/partner/v1/sync/deliver').length;
  partner.partner.speak = (action) => (action === 'sync/deliver' ? { status: 409, body: { code: 'RESYNC_NEEDED' } } : undefined);
  await partner.couple();
  const lastError = async () => (await house.records.query<{ last_error: string | null }>('select last_error from sync_peer'))[0]?.last_error;
  await until(async () => (await lastError()) === 'RESYNC_NEEDED', 20_000);
  // After that once a heartbeat at most.
  expect(deliveries()).toBeGreaterThanOrEqual(21);
  expect(deliveries()).toBeLessThan(25);
  // He has come to himself: what waits is still there.
  partner.partner.speak = undefined;
  await until(async () => (await house.records.query('select 1 from outbox')).length === 0, 40_000);
});
