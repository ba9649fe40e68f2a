import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import { type CoupledGuide, converged, coupleGuide, openPair, type Pair } from './support/houses.js';
import { backup } from './support/time-travel.js';

/*
 * A house is restored from an older state, by writing that into its tables while it is down (with a cold copy of its data directory:
 * tests/faults). It learns of it from its partner, whoever of both speaks first.
 */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let pair: Pair;
let guide: CoupledGuide;
let offers: Record<string, string>;
let hour = 0;
beforeAll(async () => {
  pair = await openPair(cleanup, { alpha: { SYNC_HEARTBEAT_MS: '300' }, beta: { SYNC_HEARTBEAT_MS: '300' } });
});
beforeEach(async () => {
  guide = await coupleGuide(pair.alpha, pair.beta);
  offers = { alpha: await pair.alpha.records.offer(), beta: await pair.beta.records.offer() };
});

const book = (house: 'alpha' | 'beta', what: Record<string, unknown> = {}) => {
  hour += 2;
  return pair[house].run('createBooking', { offerId: offers[house], time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds: [guide.ids[house] ?? ''], ...what });
};
const incarnations = async () =>
  Promise.all([pair.alpha, pair.beta].map(async ({ records }) => (await records.query<{ incarnation: number }>('select incarnation from sync_state'))[0]?.incarnation ?? 0));
const both = async () => {
  await converged(pair.alpha, pair.beta, guide);
  await converged(pair.beta, pair.alpha, guide);
};
/** What beta's replica holds living that alpha does not know of. */
const lost = async () => {
  const known = new Set((await pair.alpha.originals(guide.ids['alpha'] ?? '')).map(({ id }) => id));
  return (await pair.beta.copies(guide.couplingId)).filter(({ id, ended }) => !known.has(id) && !ended);
};
const raised = (before: readonly number[]) => until(async () => (await incarnations())[0] === (before[0] ?? 0) + 1);

test('a house that was down and comes back as it was raises nothing', async () => {
  await book('alpha');
  await both();
  const before = await incarnations();
  await pair.alpha.stop();
  await book('beta');
  await pair.alpha.start();
  await both();
  expect(await incarnations()).toEqual(before);
});

test('what it has forgotten sending keeps blocking; everything else becomes equal, under a raised incarnation', async () => {
  const moved = await book('alpha');
  const cancelled = await book('alpha');
  await both();
  const before = await incarnations();
  const restore = await backup(pair.alpha);
  const forgotten = await book('alpha');
  await pair.alpha.run('rebookBooking', { bookingId: moved.id, expectedVersion: 1, time: { start: at(500).toISOString() } });
  await pair.alpha.run('cancelBooking', { bookingId: cancelled.id, expectedVersion: 1, reason: 'x', origin: 'CUSTOMER' });
  await both();

  await restore();
  await raised(before);
  await until(async () => (await pair.beta.copies(guide.couplingId)).filter((copy) => copy.incarnation === (before[0] ?? 0) + 1).length === 2);
  const copies = await pair.beta.copies(guide.couplingId);
  const of = (id: string | undefined) => copies.find((copy) => copy.id === id);
  expect(of(moved.assignments[0]?.id)).toMatchObject({ start_at: new Date(moved.start), version: 1, ended: false });
  expect(of(cancelled.assignments[0]?.id)).toMatchObject({ ended: false, version: 1 });
  expect((await lost()).map(({ id, incarnation }) => [id, incarnation])).toEqual([[forgotten.assignments[0]?.id, before[0]]]);
  expect((await incarnations())[1]).toBe(before[1]);

  // Staff of the restored house hear of it, and nothing was made a booking again.
  const ask = async () => {
    const { data } = await pair.alpha.api.query<{ lostBookings: Record<string, unknown>[] }>('{ lostBookings { id start end offerTitle isBlock guide { id } } }', {}, await pair.alpha.staff());
    return data.lostBookings.filter((found) => (found['guide'] as { id: string }).id === guide.ids['alpha']);
  };
  await until(async () => (await ask()).length > 0);
  const [{ title = '' } = {}] = await pair.alpha.records.query<{ title: string }>('select title from offer where id = $1', [offers['alpha']]);
  const id = forgotten.assignments[0]?.id;
  expect(await ask()).toEqual([{ id, start: forgotten.start, end: forgotten.end, offerTitle: title, isBlock: false, guide: { id: guide.ids['alpha'] } }]);
  expect((await pair.alpha.originals(guide.ids['alpha'] ?? '')).map((original) => original.id).toSorted()).toEqual([moved, cancelled].map(({ assignments }) => assignments[0]?.id).toSorted());

  // Let go, it ends there; a second time changes nothing.
  const release = async () => (await pair.alpha.api.query('mutation ($id: ID!) { releaseLostBooking(input: { lostBookingId: $id }) { ... on ReleaseLostBookingPayload { releasedLostBookingId } ... on UserError { code } } }', { id }, await pair.alpha.staff())).data;
  for (let time = 0; time < 2; time += 1) expect(await release()).toEqual({ releaseLostBooking: { releasedLostBookingId: id } });
  await until(async () => (await pair.beta.copies(guide.couplingId)).find((copy) => copy.id === id)?.ended);
  expect(await ask()).toEqual([]);
  expect(await lost()).toEqual([]);
});

test('what it has forgotten receiving comes back from the partner', async () => {
  await book('beta');
  await both();
  const before = await incarnations();
  const restore = await backup(pair.alpha);
  const [made, gone] = [await book('beta'), await book('beta')];
  await both();
  await pair.beta.delete(gone.id, 1);
  await both();
  await restore();
  await raised(before);
  await both();
  expect((await pair.alpha.copies(guide.couplingId)).find(({ id }) => id === made.assignments[0]?.id)).toMatchObject({ ended: false });
});

test('it notices, too, when it has made as many changes since, before it spoke to its partner', async () => {
  await book('alpha');
  await both();
  const before = await incarnations();
  const restore = await backup(pair.alpha);
  const forgotten = await book('alpha');
  await both();
  await pair.beta.stop();
  await restore();
  const since = [await book('alpha'), await book('alpha')];
  await pair.beta.start();
  await raised(before);
  await until(async () => (await pair.alpha.waiting()).length === 0);
  expect((await lost()).map(({ id }) => id)).toEqual([forgotten.assignments[0]?.id]);
  const copies = new Set((await pair.beta.copies(guide.couplingId)).map(({ id }) => id));
  expect(since.every((booking) => copies.has(booking.assignments[0]?.id ?? ''))).toBe(true);
});

test('a restore to a state before the last restore raises above both', async () => {
  await book('alpha');
  await both();
  const old = await backup(pair.alpha);
  await book('alpha');
  await both();
  const before = await incarnations();
  await old();
  await raised(before);
  await until(async () => (await pair.alpha.waiting()).length === 0);
  await old();
  await until(async () => (await incarnations())[0] === (before[0] ?? 0) + 2);
  await until(async () => (await pair.alpha.waiting()).length === 0);
  expect((await pair.beta.copies(guide.couplingId)).filter(({ incarnation }) => incarnation === (before[0] ?? 0) + 2)).toHaveLength(1);
});

test('both restored at once agree again', async () => {
  await book('alpha');
  await book('beta');
  await both();
  const restores = [await backup(pair.alpha), await backup(pair.beta)];
  await book('alpha');
  await book('beta');
  await both();
  // Their memories are of the same moment: neither knows better, and nobody has lost anything that the other could tell of.
  await Promise.all(restores.map((restore) => restore()));
  await both();
  await book('alpha');
  await book('beta');
  await both();
});
