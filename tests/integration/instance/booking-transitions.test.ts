import { BOOKING_ACTIONS, BOOKING_STATES, type BookingAction, type BookingStateName, TRANSITIONS } from '../../../instance-server/modules/bookings/booking.states.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { bookingOf, change, type Outcome } from './support/booking-api.js';
import { at, type House, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
  offerId = await house.records.offer();
});

/** A booking in this state, with one guide assigned as long as it has any. */
async function inState(state: BookingStateName): Promise<{ id: string; assignmentId: string | undefined }> {
  const cancelled = state === 'CANCELLED' ? { reason: 'ill', origin: 'HOUSE' as const, at: new Date() } : undefined;
  const { id, assignmentIds } = await house.records.booking(offerId, at(0), { guideIds: [await house.records.guide()], cancelled });
  return { id, assignmentId: assignmentIds[0] };
}

async function act(action: BookingAction, { id: bookingId, assignmentId }: { id: string; assignmentId: string | undefined }): Promise<Outcome> {
  const target = { bookingId, expectedVersion: 1 };
  switch (action) {
    case 'rebook':
      return change(house.api, staff, 'rebookBooking', { ...target, notes: 'other' });
    case 'assign':
      return change(house.api, staff, 'assignGuide', { ...target, guideId: await house.records.guide() });
    case 'reset':
      return change(house.api, staff, 'resetAssignment', { assignmentId, expectedVersion: 1 });
    case 'cancel':
      return change(house.api, staff, 'cancelBooking', { ...target, reason: 'x', origin: 'HOUSE' });
    case 'delete':
      return change(house.api, staff, 'deleteBooking', target);
    default:
      return action satisfies never;
  }
}

const rowOf = (id: string) =>
  house.records.query<{ state: string; version: number }>(
    'select b.*, (select json_agg(a order by a.id) from guide_assignment a where a.booking_id = b.id) as assignments from booking b where b.id = $1',
    [id],
  );

const cases = BOOKING_STATES.flatMap((state) => BOOKING_ACTIONS.map((action) => ({ state, action, next: TRANSITIONS[state][action] })));

test('the table names every state and no more, and the database knows no other', async () => {
  expect(Object.keys(TRANSITIONS).sort()).toEqual([...BOOKING_STATES].sort());
  const { data } = await house.api.query<{ __type: { enumValues: { name: string }[] } }>('{ __type(name: "BookingState") { enumValues { name } } }');
  expect(data.__type.enumValues.map(({ name }) => name).sort()).toEqual([...BOOKING_STATES].sort());
});

test.each(cases.filter(({ next }) => next !== undefined))('$state permits $action and becomes $next', async ({ state, action, next }) => {
  const booking = await inState(state);
  const outcome = await act(action, booking);
  if (next === null) {
    expect(outcome).toEqual({ __typename: 'DeleteBookingPayload', deletedBookingId: booking.id });
    expect(await rowOf(booking.id)).toEqual([]);
  } else {
    expect(bookingOf(outcome)).toMatchObject({ id: booking.id, state: next, version: 2 });
    expect(await rowOf(booking.id)).toMatchObject([{ state: next, version: 2 }]);
  }
});

test.each(cases.filter(({ next }) => next === undefined))('$state refuses $action and stays as it was', async ({ state, action }) => {
  const booking = await inState(state);
  const before = await rowOf(booking.id);
  const outcome = await act(action, booking);
  // An assignment that has ended with its booking is no longer there to be reset.
  if (action === 'reset') expect(outcome).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.assignmentId' });
  else expect(outcome).toEqual({ __typename: 'InvalidTransitionError', code: 'INVALID_TRANSITION', state });
  expect(await rowOf(booking.id)).toEqual(before);
});
