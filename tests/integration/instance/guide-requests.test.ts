import { Cleanup } from '../../testkit/cleanup.js';
import { statementsOf } from '../../testkit/statements.js';
import { bookingOf, change } from './support/booking-api.js';
import { foreign } from './support/eligibility-api.js';
import { type House, newKey, openHouse } from './support/house.js';
import { answer, closed, REQUEST_FIELDS, type RequestMutation, type RequestOutcome, type RequestView, soon } from './support/request-api.js';

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
afterEach(() => house.server.clock.reset());

interface Asked {
  guideId: string;
  token: string;
}

async function guides(count: number): Promise<Asked[]> {
  const made: Asked[] = [];
  for (let index = 0; index < count; index += 1) {
    const guideId = await house.records.guide();
    made.push({ guideId, token: (await house.records.signedIn('GUIDE', { guideId })).token });
  }
  return made;
}

const run = (token: string, mutation: RequestMutation, input: Record<string, unknown>): Promise<RequestOutcome> => answer(house.api, token, mutation, input);
const deadline = soon(0).toISOString();

/** A booking of three hours, and these guides asked for it; the requests in their order. */
async function asked(those: readonly Asked[], { demand = 1, given = {}, booking: about = {} }: { demand?: number; given?: Record<string, unknown>; booking?: Record<string, unknown> } = {}) {
  const booking = await house.records.booking(offerId, soon(9), { end: soon(12), guideDemand: demand, language: 'de', ...about });
  const outcome = await run(staff, 'requestGuides', { bookingId: booking.id, expectedVersion: 1, guideIds: those.map(({ guideId }) => guideId), deadline, ...given });
  if (!outcome.requests) throw new Error(JSON.stringify(outcome));
  return { bookingId: booking.id, requests: outcome.requests };
}

const accept = (guide: Asked | undefined, request: RequestView | undefined): Promise<RequestOutcome> => run(guide?.token ?? '', 'acceptGuideRequest', { requestId: request?.id });

/** State of each request of a booking as staff see it, by guide. */
async function states(bookingId: string): Promise<Record<string, string>> {
  const { data } = await house.api.query<{ booking: { requests: RequestView[] } }>(`query ($id: ID!) { booking(id: $id) { requests { ${REQUEST_FIELDS} } } }`, { id: bookingId }, staff);
  return Object.fromEntries(data.booking.requests.map(({ guide, state, withdrawal }) => [guide?.id, [state, withdrawal].filter(Boolean).join(' ')]));
}

async function list(token: string, filter: Record<string, unknown> = {}): Promise<RequestView[]> {
  const { data, text } = await house.api.query<{ guideRequests: { edges: { node: RequestView }[] } } | null>(`query ($filter: GuideRequestFilter) { guideRequests(filter: $filter) { edges { node { ${REQUEST_FIELDS} } } } }`, { filter }, token);
  if (!data) throw new Error(text);
  return data.guideRequests.edges.map(({ node }) => node);
}

const leaders = async (bookingId: string): Promise<string[]> =>
  (await house.records.query<{ guide_id: string }>('select guide_id from guide_assignment where booking_id = $1 and ended_at is null order by guide_id', [bookingId])).map((row) => row.guide_id);
const version = async (bookingId: string): Promise<number | undefined> => (await house.records.query<{ version: number }>('select version from booking where id = $1', [bookingId]))[0]?.version;

const invalid = (field: string, reason: string) => ({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field, reason });
const missing = (field: string) => ({ __typename: 'NotFoundError', code: 'NOT_FOUND', field });

describe('a guide who is asked', () => {
  test('sees offer, time and house, and of the booking nothing until he is assigned', async () => {
    const [anna, berta] = (await guides(2)) as [Asked, Asked];
    const { bookingId, requests } = await asked([anna], { booking: { customer: { name: 'Canary' }, notes: 'Canary' } });
    const seen = { id: requests[0]?.id, state: 'OPEN', withdrawal: null, start: soon(9).toISOString(), end: soon(12).toISOString(), language: 'de', ageGroup: null, deadline, closedAt: null, offer: { id: offerId }, instance: { code: 'museum' }, guide: { id: anna.guideId }, booking: null };
    expect(await list(anna.token)).toEqual([seen]);
    const mine = await house.api.query<{ me: { guide: unknown } }>(`{ me { guide { openRequests { ${REQUEST_FIELDS} } } } }`, {}, anna.token);
    expect(mine.data.me.guide).toEqual({ openRequests: [seen] });
    expect(mine.text).not.toContain('Canary');
    expect((await house.api.query(`query ($id: ID!) { booking(id: $id) { id } }`, { id: bookingId }, anna.token)).data).toEqual({ booking: null });
    // Another guide sees neither the request nor that there is one.
    expect(await list(berta.token)).toEqual([]);
    expect(await list(berta.token, { bookingId })).toEqual([]);
    expect(await list(berta.token, { guideId: anna.guideId })).toEqual([]);
    expect(await run(berta.token, 'acceptGuideRequest', { requestId: requests[0]?.id })).toEqual(missing('input.requestId'));
    expect(await run(berta.token, 'declineGuideRequest', { requestId: requests[0]?.id })).toEqual(missing('input.requestId'));
    expect(await run(anna.token, 'declineGuideRequest', { requestId: newKey() })).toEqual(missing('input.requestId'));
    // Staff see all of it.
    expect(await list(staff, { guideId: anna.guideId })).toEqual([{ ...seen, booking: { id: bookingId, version: 1, customer: { name: 'Canary' } } }]);
    // Nobody is blocked by it.
    expect(await house.records.query('select 1 from guide_assignment where guide_id = $1', [anna.guideId])).toEqual([]);

    const accepted = await accept(anna, requests[0]);
    expect(accepted).toEqual({ __typename: 'GuideRequestPayload', request: { ...seen, state: 'ACCEPTED', closedAt: expect.any(String), booking: { id: bookingId, version: 2, customer: { name: 'Canary' } } } });
    expect(await leaders(bookingId)).toEqual([anna.guideId]);
  });

  test('is assigned as by staff’s own hand: logged, in his calendar, the version raised, once per key', async () => {
    const [anna] = (await guides(1)) as [Asked];
    const { bookingId, requests } = await asked([anna]);
    const input = { idempotencyKey: newKey(), requestId: requests[0]?.id };
    const first = await run(anna.token, 'acceptGuideRequest', input);
    expect(first.request?.state).toBe('ACCEPTED');
    expect(await run(anna.token, 'acceptGuideRequest', input)).toEqual(first);
    expect(await accept(anna, requests[0])).toEqual(closed('ACCEPTED'));
    expect(await version(bookingId)).toBe(2);
    const [assignment] = await house.records.query<{ id: string }>('select id from guide_assignment where booking_id = $1', [bookingId]);
    const logged = await house.records.query(`select action, actor_role, subject_id from audit_entry where subject_id = any ($1) or after ->> 'bookingId' = $2 order by action`, [[bookingId, requests[0]?.id], bookingId]);
    expect(logged).toEqual([
      { action: 'assignment.created', actor_role: 'GUIDE', subject_id: assignment?.id },
      { action: 'booking.guides-requested', actor_role: 'STAFF', subject_id: bookingId },
      { action: 'request.accepted', actor_role: 'GUIDE', subject_id: requests[0]?.id },
    ]);
    const range = { start: soon(0).toISOString(), end: soon(24).toISOString() };
    const { data } = await house.api.query('query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { id } openRequests { id } } } }', { range }, anna.token);
    expect(data).toEqual({ me: { guide: { calendar: [{ id: assignment?.id }], openRequests: [] } } });
  });

  test('may decline, once', async () => {
    const [anna, berta] = (await guides(2)) as [Asked, Asked];
    const { bookingId, requests } = await asked([anna, berta]);
    expect((await run(anna.token, 'declineGuideRequest', { requestId: requests[0]?.id })).request).toMatchObject({ state: 'DECLINED', booking: null });
    expect(await run(anna.token, 'declineGuideRequest', { requestId: requests[0]?.id })).toEqual(closed('DECLINED'));
    expect(await accept(anna, requests[0])).toEqual(closed('DECLINED'));
    expect(await states(bookingId)).toEqual({ [anna.guideId]: 'DECLINED', [berta.guideId]: 'OPEN' });
    expect(await leaders(bookingId)).toEqual([]);
  });

  test('is too late at the deadline, and can be asked again then', async () => {
    const [anna] = (await guides(1)) as [Asked];
    const before = new Date(Date.now() + 60_000).toISOString();
    const { bookingId, requests } = await asked([anna], { given: { deadline: before } });
    expect(await run(staff, 'requestGuides', { bookingId, expectedVersion: 1, guideIds: [anna.guideId], deadline })).toEqual({ __typename: 'AlreadyExistsError', code: 'ALREADY_EXISTS', field: 'input.guideIds.0' });
    house.server.clock.advance({ seconds: 60 });
    expect(await accept(anna, requests[0])).toEqual(closed('EXPIRED'));
    expect(await run(anna.token, 'declineGuideRequest', { requestId: requests[0]?.id })).toEqual(closed('EXPIRED'));
    expect(await run(staff, 'withdrawGuideRequest', { requestId: requests[0]?.id })).toEqual(closed('EXPIRED'));
    expect(await list(anna.token, { state: 'OPEN' })).toEqual([]);
    expect((await list(anna.token, { state: 'EXPIRED' })).map(({ id, state }) => ({ id, state }))).toEqual([{ id: requests[0]?.id, state: 'EXPIRED' }]);
    const again = await run(staff, 'requestGuides', { bookingId, expectedVersion: 1, guideIds: [anna.guideId], deadline });
    expect((await accept(anna, again.requests?.[0])).request?.state).toBe('ACCEPTED');
    expect((await list(anna.token)).map(({ id, state }) => ({ id, state }))).toEqual([
      { id: again.requests?.[0]?.id, state: 'ACCEPTED' },
      { id: requests[0]?.id, state: 'EXPIRED' },
    ]);
  });

  test('who is taken at that time meanwhile stays asked, and may accept when he is free again', async () => {
    const [anna] = (await guides(1)) as [Asked];
    const { bookingId, requests } = await asked([anna]);
    const other = await house.records.booking(offerId, soon(11), { end: soon(13), guideIds: [anna.guideId] });
    expect(await accept(anna, requests[0])).toEqual({ __typename: 'GuideUnavailableError', code: 'GUIDE_UNAVAILABLE', guideId: anna.guideId, start: soon(9).toISOString(), end: soon(12).toISOString() });
    expect(await states(bookingId)).toEqual({ [anna.guideId]: 'OPEN' });
    expect(await version(bookingId)).toBe(1);
    await house.records.query('update guide_assignment set ended_at = now() where id = any ($1)', [other.assignmentIds]);
    expect((await accept(anna, requests[0])).request?.state).toBe('ACCEPTED');
  });

  test('(chosen) is blocked nowhere by it, and nothing of it leaves the house: that he was assigned does', async () => {
    const [anna] = (await guides(1)) as [Asked];
    await foreign(house, anna.guideId, []);
    const waiting = () => house.records.query<{ kind: string; record_id: string }>('select o.kind, o.record_id from outbox o join coupling c on c.id = o.coupling_id where c.guide_id = $1', [anna.guideId]);
    const before = await waiting();
    const { bookingId, requests } = await asked([anna]);
    expect(await waiting()).toEqual(before);
    expect(await house.records.query('select 1 from partner_assignment p join coupling c on c.id = p.coupling_id where c.guide_id = $1', [anna.guideId])).toEqual([]);
    await accept(anna, requests[0]);
    const [assignment] = await house.records.query<{ id: string }>('select id from guide_assignment where booking_id = $1', [bookingId]);
    expect((await waiting()).filter(({ kind }) => kind === 'ASSIGNMENT')).toEqual([{ kind: 'ASSIGNMENT', record_id: assignment?.id }]);
  });

  test('who leads no tours any more cannot accept', async () => {
    const [anna] = (await guides(1)) as [Asked];
    const { bookingId, requests } = await asked([anna]);
    await house.records.query('update guide set active = false where id = $1', [anna.guideId]);
    expect(await accept(anna, requests[0])).toEqual(invalid('input.requestId', 'CONFLICTING'));
    expect(await leaders(bookingId)).toEqual([]);
  });
});

describe('a booking', () => {
  test('what is withdrawn by itself is in the action log, under whoever has caused it', async () => {
    const [anna, bea] = (await guides(2)) as [Asked, Asked];
    const logged = async (requestId: string | undefined) =>
      house.records.query(
        `select e.actor_kind, e.actor_role, a.guide_id, e.after from audit_entry e left join account a on a.id::text = e.actor_id
         where e.action = 'request.withdrawn' and e.subject_type = 'request' and e.subject_id = $1`,
        [requestId],
      );
    const filled = await asked([anna, bea]);
    await accept(anna, filled.requests[0]);
    const { bookingId } = filled;
    expect(await logged(filled.requests[1]?.id)).toEqual([
      { actor_kind: 'ACCOUNT', actor_role: 'GUIDE', guide_id: anna.guideId, after: { bookingId, guideId: bea.guideId, withdrawal: 'FILLED' } },
    ]);
    expect(await logged(filled.requests[0]?.id)).toEqual([]);
    const cancelled = await asked([bea]);
    bookingOf(await change(house.api, staff, 'cancelBooking', { bookingId: cancelled.bookingId, expectedVersion: 1, reason: 'x', origin: 'CUSTOMER' }));
    expect(await logged(cancelled.requests[0]?.id)).toEqual([
      { actor_kind: 'ACCOUNT', actor_role: 'STAFF', guide_id: null, after: { bookingId: cancelled.bookingId, guideId: bea.guideId, withdrawal: 'BOOKING_CHANGED' } },
    ]);
    // One that staff take back is there once.
    const taken = await asked([bea]);
    await run(staff, 'withdrawGuideRequest', { requestId: taken.requests[0]?.id });
    expect(await logged(taken.requests[0]?.id)).toMatchObject([{ actor_role: 'STAFF' }]);
  });

  test('takes the first who accept up to its demand; the others are withdrawn then', async () => {
    const those = await guides(4);
    const { bookingId, requests } = await asked(those, { demand: 2 });
    expect((await accept(those[2], requests[2])).request?.state).toBe('ACCEPTED');
    const ids = those.map(({ guideId }) => guideId) as [string, string, string, string];
    expect(await states(bookingId)).toEqual({ [ids[0]]: 'OPEN', [ids[1]]: 'OPEN', [ids[2]]: 'ACCEPTED', [ids[3]]: 'OPEN' });
    await run(those[3]?.token ?? '', 'declineGuideRequest', { requestId: requests[3]?.id });
    expect((await accept(those[0], requests[0])).request?.state).toBe('ACCEPTED');
    expect(await states(bookingId)).toEqual({ [ids[0]]: 'ACCEPTED', [ids[1]]: 'WITHDRAWN FILLED', [ids[2]]: 'ACCEPTED', [ids[3]]: 'DECLINED' });
    expect(await accept(those[1], requests[1])).toEqual(closed('WITHDRAWN', 'FILLED'));
    expect(await leaders(bookingId)).toEqual([ids[0], ids[2]].toSorted());
    expect(await version(bookingId)).toBe(3);
  });

  test('is asked for in parts: each part has its own demand', async () => {
    const [early, late, whole] = (await guides(3)) as [Asked, Asked, Asked];
    const { bookingId, requests } = await asked([early], { given: { range: { start: soon(9).toISOString(), end: soon(10).toISOString() } } });
    const ask = async ({ guideId }: Asked, range?: [number, number]) =>
      (await run(staff, 'requestGuides', { bookingId, expectedVersion: await version(bookingId), guideIds: [guideId], deadline, range: range && { start: soon(range[0]).toISOString(), end: soon(range[1]).toISOString() } })).requests?.[0];
    const [second, third] = [await ask(late, [10, 12]), await ask(whole)];
    expect((await accept(early, requests[0])).request?.state).toBe('ACCEPTED');
    // His hour is taken, so nobody can have all of it; the rest is still to be had.
    expect(await states(bookingId)).toEqual({ [early.guideId]: 'ACCEPTED', [late.guideId]: 'OPEN', [whole.guideId]: 'WITHDRAWN FILLED' });
    expect(await accept(whole, third)).toEqual(closed('WITHDRAWN', 'FILLED'));
    expect((await accept(late, second)).request?.state).toBe('ACCEPTED');
    expect(await house.records.query('select guide_id, start_at, end_at from guide_assignment where booking_id = $1 order by start_at', [bookingId])).toEqual([
      { guide_id: early.guideId, start_at: soon(9), end_at: soon(10) },
      { guide_id: late.guideId, start_at: soon(10), end_at: soon(12) },
    ]);
  });

  test.each<[string, Record<string, unknown>, boolean]>([
    ['another start', { time: { start: soon(10).toISOString() } }, true],
    ['another end', { time: { start: soon(9).toISOString(), end: soon(13).toISOString() } }, true],
    ['another language', { language: 'fr' }, true],
    ['an age group', { ageGroup: 'SENIORS' }, true],
    ['other notes, customer and number', { notes: 'New', partySize: 9, customer: { name: 'Other' } }, false],
    ['the time it has', { time: { start: soon(9).toISOString(), end: soon(12).toISOString() } }, false],
  ])('with %s: requests stand only as they were asked', async (_what, input, withdrawn) => {
    const [anna] = (await guides(1)) as [Asked];
    const { bookingId, requests } = await asked([anna]);
    expect(bookingOf(await change(house.api, staff, 'rebookBooking', { bookingId, expectedVersion: 1, ...input })).version).toBe(2);
    expect(await states(bookingId)).toEqual({ [anna.guideId]: withdrawn ? 'WITHDRAWN BOOKING_CHANGED' : 'OPEN' });
    const outcome = await accept(anna, requests[0]);
    expect(withdrawn ? outcome : outcome.request?.state).toEqual(withdrawn ? closed('WITHDRAWN', 'BOOKING_CHANGED') : 'ACCEPTED');
    expect(await leaders(bookingId)).toEqual(withdrawn ? [] : [anna.guideId]);
  });

  test('of another offer, and a cancelled one, withdraw what was asked; a deleted one takes it along', async () => {
    const [anna] = (await guides(1)) as [Asked];
    const moved = await asked([anna]);
    await change(house.api, staff, 'rebookBooking', { bookingId: moved.bookingId, expectedVersion: 1, offerId: await house.records.offer() });
    const cancelled = await asked([anna]);
    await change(house.api, staff, 'cancelBooking', { bookingId: cancelled.bookingId, expectedVersion: 1, reason: 'Rain', origin: 'HOUSE' });
    const deleted = await asked([anna]);
    expect((await change(house.api, staff, 'deleteBooking', { bookingId: deleted.bookingId, expectedVersion: 1 })).__typename).toBe('DeleteBookingPayload');
    expect((await list(anna.token)).map(({ id, state, withdrawal, offer }) => ({ id, state, withdrawal, offer }))).toEqual([
      { id: cancelled.requests[0]?.id, state: 'WITHDRAWN', withdrawal: 'BOOKING_CHANGED', offer: { id: offerId } },
      { id: moved.requests[0]?.id, state: 'WITHDRAWN', withdrawal: 'BOOKING_CHANGED', offer: { id: offerId } },
    ]);
    expect(await accept(anna, cancelled.requests[0])).toEqual(closed('WITHDRAWN', 'BOOKING_CHANGED'));
    expect(await accept(anna, deleted.requests[0])).toEqual(missing('input.requestId'));
    expect(await run(staff, 'requestGuides', { bookingId: cancelled.bookingId, expectedVersion: 2, guideIds: [anna.guideId], deadline })).toEqual({ __typename: 'InvalidTransitionError', code: 'INVALID_TRANSITION', state: 'CANCELLED' });
  });

  test('that staff give guides by hand closes what is done with, by assigning and by swapping', async () => {
    const [anna, berta, clara] = (await guides(3)) as [Asked, Asked, Asked];
    const two = await asked([anna, berta, clara], { demand: 2 });
    await change(house.api, staff, 'assignGuide', { bookingId: two.bookingId, expectedVersion: 1, guideId: anna.guideId });
    expect(await states(two.bookingId)).toEqual({ [anna.guideId]: 'WITHDRAWN ASSIGNED', [berta.guideId]: 'OPEN', [clara.guideId]: 'OPEN' });
    await change(house.api, staff, 'rebookBooking', { bookingId: two.bookingId, expectedVersion: 2, guideIds: [anna.guideId, berta.guideId] });
    expect(await states(two.bookingId)).toEqual({ [anna.guideId]: 'WITHDRAWN ASSIGNED', [berta.guideId]: 'WITHDRAWN ASSIGNED', [clara.guideId]: 'WITHDRAWN FILLED' });
    expect(await run(staff, 'requestGuides', { bookingId: two.bookingId, expectedVersion: 3, guideIds: [clara.guideId], deadline })).toEqual(invalid('input.bookingId', 'CONFLICTING'));
  });

  test('whose guide is taken off again can be asked for anew', async () => {
    const [anna, berta] = (await guides(2)) as [Asked, Asked];
    const { bookingId, requests } = await asked([anna, berta]);
    await accept(anna, requests[0]);
    const [assignment] = await house.records.query<{ id: string }>('select id from guide_assignment where booking_id = $1', [bookingId]);
    await change(house.api, staff, 'resetAssignment', { assignmentId: assignment?.id, expectedVersion: 2 });
    // Withdrawn stays withdrawn.
    expect(await states(bookingId)).toEqual({ [anna.guideId]: 'ACCEPTED', [berta.guideId]: 'WITHDRAWN FILLED' });
    const again = await run(staff, 'requestGuides', { bookingId, expectedVersion: 3, guideIds: [anna.guideId, berta.guideId], deadline });
    expect((await accept(berta, again.requests?.[1])).request?.state).toBe('ACCEPTED');
    expect(await leaders(bookingId)).toEqual([berta.guideId]);
  });
});

describe('staff', () => {
  test('take a request back, once', async () => {
    const [anna] = (await guides(1)) as [Asked];
    const { bookingId, requests } = await asked([anna]);
    const input = { requestId: requests[0]?.id };
    expect((await run(staff, 'withdrawGuideRequest', input)).request).toMatchObject({ state: 'WITHDRAWN', withdrawal: 'BY_STAFF', closedAt: expect.any(String) });
    expect(await run(staff, 'withdrawGuideRequest', input)).toEqual(closed('WITHDRAWN', 'BY_STAFF'));
    expect(await accept(anna, requests[0])).toEqual(closed('WITHDRAWN', 'BY_STAFF'));
    expect(await leaders(bookingId)).toEqual([]);
  });

  test('ask all or nobody; each refusal names what is wrong', async () => {
    const [anna, berta] = (await guides(2)) as [Asked, Asked];
    const { id: bookingId } = await house.records.booking(offerId, soon(9), { end: soon(12), guideDemand: 2, guideIds: [berta.guideId] });
    const inactive = await house.records.guide({ active: false });
    const ask = (given: Record<string, unknown>) => run(staff, 'requestGuides', { bookingId, expectedVersion: 1, guideIds: [anna.guideId], deadline, ...given });
    const range = (from: number, to: number) => ({ range: { start: soon(from).toISOString(), end: soon(to).toISOString() } });
    expect(await ask({ bookingId: newKey() })).toEqual(missing('input.bookingId'));
    expect(await ask({ bookingId: 'no-uuid' })).toEqual(missing('input.bookingId'));
    expect(await ask({ expectedVersion: 2 })).toEqual({ __typename: 'StaleVersionError', code: 'STALE_VERSION', currentVersion: 1 });
    expect(await ask({ guideIds: [] })).toEqual(invalid('input.guideIds', 'REQUIRED'));
    expect(await ask({ guideIds: Array.from({ length: 51 }, newKey) })).toEqual(invalid('input.guideIds', 'OUT_OF_RANGE'));
    expect(await ask({ guideIds: [anna.guideId, 'no-uuid'] })).toEqual(missing('input.guideIds.1'));
    expect(await ask({ guideIds: [anna.guideId, newKey()] })).toEqual(missing('input.guideIds.1'));
    expect(await ask({ guideIds: [anna.guideId, inactive] })).toEqual(missing('input.guideIds.1'));
    expect(await ask({ guideIds: [anna.guideId, berta.guideId] })).toEqual(invalid('input.guideIds.1', 'CONFLICTING'));
    expect(await ask({ deadline: new Date(Date.now() - 1_000).toISOString() })).toEqual(invalid('input.deadline', 'OUT_OF_RANGE'));
    expect(await ask({ deadline: new Date(soon(9).getTime() + 1).toISOString() })).toEqual(invalid('input.deadline', 'OUT_OF_RANGE'));
    expect(await ask(range(8, 10))).toEqual(invalid('input.range', 'OUT_OF_RANGE'));
    expect(await ask(range(11, 13))).toEqual(invalid('input.range', 'OUT_OF_RANGE'));
    expect(await ask(range(11, 10))).toEqual(invalid('input.range.end', 'END_BEFORE_START'));
    expect(await house.records.query('select 1 from guide_request where booking_id = $1', [bookingId])).toEqual([]);
    // The deadline may be the very start.
    expect((await ask({ deadline: soon(9).toISOString(), guideIds: [anna.guideId, anna.guideId.toUpperCase()] })).requests).toHaveLength(1);
  });

  test('cannot answer for a guide, nor a guide ask or withdraw', async () => {
    const [anna] = (await guides(1)) as [Asked];
    const { bookingId, requests } = await asked([anna]);
    const requestId = requests[0]?.id;
    const forbidden = (field: string) => `"code":"FORBIDDEN","field":"Mutation.${field}"`;
    await expect(run(staff, 'acceptGuideRequest', { requestId })).rejects.toThrow(forbidden('acceptGuideRequest'));
    await expect(run(staff, 'declineGuideRequest', { requestId })).rejects.toThrow(forbidden('declineGuideRequest'));
    await expect(run(anna.token, 'withdrawGuideRequest', { requestId })).rejects.toThrow(forbidden('withdrawGuideRequest'));
    await expect(run(anna.token, 'requestGuides', { bookingId, expectedVersion: 1, guideIds: [anna.guideId], deadline })).rejects.toThrow(forbidden('requestGuides'));
    expect(await states(bookingId)).toEqual({ [anna.guideId]: 'OPEN' });
  });

  test('ask once per key, and with another input not at all', async () => {
    const [anna] = (await guides(1)) as [Asked];
    const { id: bookingId } = await house.records.booking(offerId, soon(9), { end: soon(12) });
    const input = { idempotencyKey: newKey(), bookingId, expectedVersion: 1, guideIds: [anna.guideId], deadline };
    const first = await run(staff, 'requestGuides', input);
    expect(await run(staff, 'requestGuides', input)).toEqual(first);
    expect(await run(staff, 'requestGuides', { ...input, deadline: soon(1).toISOString() })).toEqual({ __typename: 'IdempotencyKeyReusedError', code: 'IDEMPOTENCY_KEY_REUSED' });
    await change(house.api, staff, 'deleteBooking', { bookingId, expectedVersion: 1 });
    expect(await run(staff, 'requestGuides', input)).toEqual(missing('input.idempotencyKey'));
  });
});

test('lists go by time of asking, newest first, with cursors, in the same number of statements for one and for fifty', async () => {
  const own = await openHouse(cleanup, { code: 'lists' });
  const { token } = await own.records.signedIn('STAFF');
  const offer = await own.records.offer();
  const ids: string[] = [];
  for (let index = 0; index < 50; index += 1) {
    const [guideId, booking] = [await own.records.guide(), await own.records.booking(offer, soon(index))];
    const [row] = await own.records.query<{ id: string }>(
      `insert into guide_request (id, booking_id, guide_id, offer_id, start_at, end_at, deadline, state, created_at)
       values (gen_random_uuid(), $1, $2, $3, $4, $5, $4, 'OPEN', $6) returning id`,
      [booking.id, guideId, offer, booking.start, booking.end, new Date(Date.now() + Math.floor(index / 2) * 1_000)],
    );
    ids.push(row?.id ?? '');
  }
  const order = (await own.records.query<{ id: string }>('select id from guide_request order by created_at desc, id desc')).map(({ id }) => id);
  expect(order.toSorted()).toEqual(ids.toSorted());
  const LIST = `query ($first: Int, $after: String) { guideRequests(first: $first, after: $after) { edges { cursor node { ${REQUEST_FIELDS} } } pageInfo { hasNextPage endCursor } } }`;
  const page = async (first: number, after?: string) => (await own.api.query<{ guideRequests: { edges: { cursor: string; node: RequestView }[]; pageInfo: { hasNextPage: boolean; endCursor: string } } }>(LIST, { first, after }, token)).data.guideRequests;
  const all = await page(50);
  expect(all.edges.map(({ node }) => node.id)).toEqual(order);
  for (const index of [0, 1, 30, 48]) {
    const next = await page(3, all.edges[index]?.cursor);
    expect(next.edges.map(({ node }) => node.id)).toEqual(order.slice(index + 1, index + 4));
    expect(next.pageInfo.hasNextPage).toBe(index + 4 < 50);
  }
  expect(await statementsOf(() => page(1))).toBe(4);
  expect(await statementsOf(() => page(50))).toBe(4);
  const nested = (first: number) => () => own.api.query(`query ($first: Int) { bookings(first: $first) { edges { node { requests { ${REQUEST_FIELDS} } } } } guides(first: $first) { edges { node { openRequests { id } } } } }`, { first }, token);
  const counts = [await statementsOf(nested(1)), await statementsOf(nested(50))];
  expect(counts).toEqual([7, 7]);
});
