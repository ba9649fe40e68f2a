import { Cleanup } from '../../testkit/cleanup.js';
import { at } from '../instance/support/house.js';
import { type CoupledGuide, converged, coupleGuide, openPair, type Pair } from './support/houses.js';

/* Every occasion of DOMAIN §2 on which something travels from one house to the other. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let pair: Pair;
let guide: CoupledGuide;
let other: CoupledGuide;
let offerId: string;
beforeAll(async () => {
  pair = await openPair(cleanup);
  guide = await coupleGuide(pair.alpha, pair.beta);
  other = await coupleGuide(pair.alpha, pair.beta);
  offerId = await pair.beta.records.offer({ title: 'Night Tour', guideDemand: 2 });
});

const arrived = () => converged(pair.beta, pair.alpha, guide);
const mine = (): string => guide.ids['beta'] ?? '';
const book = (hour: number, guideIds = [mine()]) =>
  pair.beta.run('createBooking', { offerId, time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds });
const copyOf = async (id: string | undefined) => (await arrived()).find((copy) => copy.id === id);

test('a booking with a guide arrives with its time and the offer’s public title, and nothing else', async () => {
  const booking = await book(0);
  expect(await copyOf(booking.assignments[0]?.id)).toEqual({
    id: booking.assignments[0]?.id,
    coupling_id: guide.couplingId,
    guide_id: guide.ids['alpha'],
    incarnation: 1,
    version: 1,
    start_at: at(0),
    end_at: at(1),
    offer_title: 'Night Tour',
    kind: 'BOOKING',
    ended: false,
  });
});

test('a rebooking to another time moves it', async () => {
  const booking = await book(10);
  const moved = await pair.beta.run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, time: { start: at(12).toISOString() } });
  expect(await copyOf(moved.assignments[0]?.id)).toMatchObject({ start_at: at(12), end_at: at(13), ended: false });
});

test('a rebooking to another offer shows its title', async () => {
  const booking = await book(20);
  const day = await pair.beta.records.offer({ title: 'Day Tour' });
  const moved = await pair.beta.run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, offerId: day });
  expect(await copyOf(moved.assignments[0]?.id)).toMatchObject({ offer_title: 'Day Tour', ended: false });
});

test('a guide swap is an end for the old guide and a start for the new one', async () => {
  const booking = await book(30);
  const swapped = await pair.beta.run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, guideIds: [other.ids['beta'] ?? ''] });
  expect(await copyOf(booking.assignments[0]?.id)).toMatchObject({ ended: true, offer_title: null });
  const started = await converged(pair.beta, pair.alpha, other);
  expect(started).toMatchObject([{ id: swapped.assignments[0]?.id, start_at: at(30), offer_title: 'Night Tour', ended: false, guide_id: other.ids['alpha'] }]);
});

test('a reset ends it, while the booking lives on', async () => {
  const booking = await book(40);
  const reset = await pair.beta.run('resetAssignment', { assignmentId: booking.assignments[0]?.id, expectedVersion: 1 });
  expect(reset.state).toBe('BOOKED');
  expect(await copyOf(booking.assignments[0]?.id)).toMatchObject({ ended: true, offer_title: null });
});

test('a later assignment of a guide to a booking arrives, and is another one than before', async () => {
  const booking = await book(50);
  const reset = await pair.beta.run('resetAssignment', { assignmentId: booking.assignments[0]?.id, expectedVersion: 1 });
  const again = await pair.beta.run('assignGuide', { bookingId: booking.id, guideId: mine(), expectedVersion: reset.version });
  expect(again.assignments[0]?.id).not.toBe(booking.assignments[0]?.id);
  expect(await copyOf(again.assignments[0]?.id)).toMatchObject({ ended: false, start_at: at(50) });
});

test('a cancellation ends it', async () => {
  const booking = await book(60);
  await pair.beta.run('cancelBooking', { bookingId: booking.id, expectedVersion: 1, reason: 'flood', origin: 'CUSTOMER' });
  expect(await copyOf(booking.assignments[0]?.id)).toMatchObject({ ended: true, offer_title: null });
});

test('a deletion ends it', async () => {
  const booking = await book(70);
  await pair.beta.delete(booking.id, 1);
  expect(await copyOf(booking.assignments[0]?.id)).toMatchObject({ ended: true, offer_title: null });
});

test('another public title of the offer arrives for every living assignment', async () => {
  const title = await pair.beta.records.offer({ title: 'Old Title' });
  const make = (hour: number) => pair.beta.run('createBooking', { offerId: title, time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds: [mine()] });
  const [living, gone] = [await make(80), await make(82)];
  await pair.beta.delete(gone.id, 1);
  const answer = await pair.beta.api.query<{ updateOffer: { offer: { title: string } } }>(
    'mutation ($input: UpdateOfferInput!) { updateOffer(input: $input) { ... on OfferPayload { offer { title } } ... on UserError { code } } }',
    { input: { offerId: title, expectedVersion: 1, title: 'New Title' } },
    await pair.beta.staff(),
  );
  expect(answer.data.updateOffer.offer.title).toBe('New Title');
  expect(await copyOf(living.assignments[0]?.id)).toMatchObject({ offer_title: 'New Title', version: 2, ended: false });
  expect(await copyOf(gone.assignments[0]?.id)).toMatchObject({ offer_title: null, ended: true });
});

test('what is known of a guide when he is coupled is transferred in full, once', async () => {
  const known = await pair.beta.records.guide();
  const start = at(200);
  await pair.beta.records.booking(offerId, start, { guideIds: [known] });
  await pair.beta.records.booking(offerId, at(202), { guideIds: [known] });
  const late = await coupleGuide(pair.alpha, pair.beta, { beta: known });
  const copies = await converged(pair.beta, pair.alpha, late);
  expect(copies.map((copy) => copy.start_at).toSorted((a, b) => a.getTime() - b.getTime())).toEqual([at(200), at(202)]);
});

test('nothing travels of guides who are not coupled, and nothing received is passed on', async () => {
  const gamma = await pair.beta.records.guide();
  await pair.beta.records.booking(offerId, at(300), { guideIds: [gamma] });
  await arrived();
  const [{ count = 0 } = {}] = await pair.alpha.records.query<{ count: number }>('select count(*)::int as count from foreign_booking where coupling_id <> all($1::uuid[])', [
    (await pair.alpha.records.query<{ id: string }>('select id from coupling')).map(({ id }) => id),
  ]);
  expect(count).toBe(0);
  expect(await pair.alpha.waiting()).toEqual([]);
  expect(await pair.beta.records.query('select * from foreign_booking')).toEqual([]);
});
