import { Cleanup } from '../../testkit/cleanup.js';
import { asAdmin } from '../../testkit/postgres.js';
import { type WsSubscription, wsClient, type WsTestClient } from '../../testkit/socket.js';
import { bookingOf, type BookingMutation, type BookingView, change } from './support/booking-api.js';
import { at, type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup, { name: 'City Museum', env: { WS_MAX_BUFFERED_BYTES: '1000000' } });
  staff = (await house.records.signedIn('STAFF')).token;
  offerId = await house.records.offer({ title: 'Night Tour' });
});

interface Change {
  calendarChanged: { kind: string; entryId: string | null; entry: { id: string; start: string; end: string; offerTitle: string; details: { bookingId: string; notes: string | null; customer: { name: string } } } | null };
}
const FOLLOW = `subscription ($guideId: ID!) { calendarChanged(guideId: $guideId) {
  kind entryId entry { id start end origin offerTitle instance { code name } details { bookingId customer { name email phone } partySize language notes } } } }`;

const run = async (mutation: BookingMutation, given: Record<string, unknown>): Promise<BookingView> => bookingOf(await change(house.api, staff, mutation, given));

function connect(token: string, retryAttempts?: number): WsTestClient {
  return cleanup.own(wsClient(house.server.url, () => token, { retryAttempts }), (opened) => opened.dispose());
}

const followed = (sessionId: string) => house.records.query('select 1 from session_subscription where session_id = $1', [sessionId]);

/** Resolves when the server has noted the subscription: from then on nothing is missed. */
async function follow(socket: WsTestClient, sessionId: string, guideId: string): Promise<WsSubscription<Change>> {
  const before = (await followed(sessionId)).length;
  const subscription = socket.subscribe<Change>(FOLLOW, { guideId });
  while ((await followed(sessionId)).length <= before);
  return subscription;
}

async function newGuide() {
  const guideId = await house.records.guide();
  return { ...(await house.records.signedIn('GUIDE', { guideId })), guideId };
}

test('the guide and staff hear of every change of a calendar, with the entry as it is then', async () => {
  const guide = await newGuide();
  const [other, member] = [await house.records.guide(), await house.records.signedIn('STAFF')];
  const subscriptions = [await follow(connect(guide.token), guide.sessionId, guide.guideId), await follow(connect(member.token), member.sessionId, guide.guideId)];
  const expectBoth = async (expected: Change['calendarChanged']): Promise<void> => {
    for (const subscription of subscriptions) expect((await subscription.waitForMessage()).calendarChanged).toEqual(expected);
  };
  let booking = await run('createBooking', { offerId, time: { start: at(0).toISOString() }, customer: { name: 'Ada', email: 'ada@example.org' }, notes: 'n', guideIds: [guide.guideId, other] });
  const entryId = booking.assignments.find((assignment) => assignment.guide.id === guide.guideId)?.id ?? '';
  const entry = (from: number, to: number, details: Record<string, unknown> = {}) =>
    ({
      id: entryId,
      start: at(from).toISOString(),
      end: at(to).toISOString(),
      origin: 'LOCAL',
      offerTitle: 'Night Tour',
      instance: { code: 'museum', name: 'City Museum' },
      details: { bookingId: booking.id, customer: { name: 'Ada', email: 'ada@example.org', phone: null }, partySize: null, language: null, notes: 'n', ...details },
    }) as NonNullable<Change['calendarChanged']['entry']>;
  await expectBoth({ kind: 'CREATED', entryId, entry: entry(0, 1) });

  booking = await run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, time: { start: at(2).toISOString() } });
  await expectBoth({ kind: 'UPDATED', entryId, entry: entry(2, 3) });
  booking = await run('rebookBooking', { bookingId: booking.id, expectedVersion: 2, notes: 'changed', partySize: 4 });
  await expectBoth({ kind: 'UPDATED', entryId, entry: entry(2, 3, { notes: 'changed', partySize: 4 }) });
  // Another guide's assignment is no change of this calendar.
  await run('resetAssignment', { assignmentId: booking.assignments.find((assignment) => assignment.guide.id === other)?.id, expectedVersion: 3 });
  await run('rebookBooking', { bookingId: booking.id, expectedVersion: 4, guideIds: [] });
  await expectBoth({ kind: 'REMOVED', entryId, entry: null });

  booking = await run('createBooking', { offerId, time: { start: at(9).toISOString() }, customer: { name: 'Eve' }, guideIds: [guide.guideId] });
  const next = booking.assignments[0]?.id ?? '';
  for (const subscription of subscriptions) expect(await subscription.waitForMessage()).toMatchObject({ calendarChanged: { kind: 'CREATED', entryId: next, entry: { details: { customer: { name: 'Eve' } } } } });
  await run('cancelBooking', { bookingId: booking.id, expectedVersion: 1, reason: 'x', origin: 'GUIDE' });
  for (const subscription of subscriptions) {
    expect(await subscription.waitForMessage()).toEqual({ calendarChanged: { kind: 'REMOVED', entryId: next, entry: null } });
    expect(subscription.messages.items).toHaveLength(6);
  }
});

test('a guide follows himself alone; another guide is answered like nobody, also over the global id', async () => {
  const guide = await newGuide();
  const other = await house.records.guide({ globalId: 'museum:followed' });
  const answers: unknown[] = [];
  for (const guideId of [other, newKey(), 'museum:followed', 'no-uuid']) {
    const subscription = connect(guide.token, 0).subscribe<Change>(FOLLOW, { guideId });
    const message = await Promise.race([subscription.messages.waitFor(), subscription.ended]);
    answers.push(message);
  }
  expect(answers[0]).toEqual({ errors: [{ message: 'guideId leads to nothing that you can see.', path: ['calendarChanged'], locations: expect.any(Array), extensions: { code: 'NOT_FOUND', field: 'guideId' } }] });
  expect(answers).toEqual([answers[0], answers[0], answers[0], answers[0]]);
  expect(await followed(guide.sessionId)).toEqual([]);
  // Staff reach the same calendar by the global id.
  const member = await house.records.signedIn('STAFF');
  const subscription = await follow(connect(member.token), member.sessionId, 'museum:followed');
  const booking = await run('createBooking', { offerId, time: { start: at(0).toISOString() }, customer: { name: 'Ada' }, guideIds: [other] });
  expect((await subscription.waitForMessage()).calendarChanged.entryId).toBe(booking.assignments[0]?.id);
});

describe('REFETCH comes first', () => {
  test('when the same session follows the calendar again, and not when another session does', async () => {
    const guide = await newGuide();
    const first = await follow(connect(guide.token), guide.sessionId, guide.guideId);
    first.unsubscribe();
    const second = connect(guide.token).subscribe<Change>(FOLLOW, { guideId: guide.guideId });
    expect(await second.waitForMessage()).toEqual({ calendarChanged: { kind: 'REFETCH', entryId: null, entry: null } });
    const fresh = await house.records.signIn(guide);
    const other = await follow(connect(fresh.token), fresh.sessionId, guide.guideId);
    const booking = await run('createBooking', { offerId, time: { start: at(0).toISOString() }, customer: { name: 'Ada' }, guideIds: [guide.guideId] });
    for (const subscription of [second, other]) expect((await subscription.waitForMessage()).calendarChanged).toMatchObject({ kind: 'CREATED', entryId: booking.assignments[0]?.id });
  });

  test('when the connection was lost and the client has resumed', async () => {
    const guide = await newGuide();
    const socket = connect(guide.token);
    const subscription = await follow(socket, guide.sessionId, guide.guideId);
    socket.socket()?.terminate();
    expect((await subscription.waitForMessage()).calendarChanged.kind).toBe('REFETCH');
    await run('createBooking', { offerId, time: { start: at(0).toISOString() }, customer: { name: 'Ada' }, guideIds: [guide.guideId] });
    expect((await subscription.waitForMessage()).calendarChanged.kind).toBe('CREATED');
  });

  test('when the server has lost its own source of events; all later changes follow', async () => {
    const guide = await newGuide();
    const subscription = await follow(connect(guide.token), guide.sessionId, guide.guideId);
    const kill = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lotse-events' and datname = $1`;
    expect((await asAdmin((admin) => admin.query(kill, [house.instance.database]))).rowCount).toBe(1);
    // Made while nobody listens, most likely: it would be missed without the REFETCH.
    await run('createBooking', { offerId, time: { start: at(0).toISOString() }, customer: { name: 'Ada' }, guideIds: [guide.guideId] });
    expect((await subscription.waitForMessage(({ calendarChanged: { kind } }) => kind === 'REFETCH')).calendarChanged).toEqual({ kind: 'REFETCH', entryId: null, entry: null });
    const later = await run('createBooking', { offerId, time: { start: at(5).toISOString() }, customer: { name: 'Eve' }, guideIds: [guide.guideId] });
    const wanted = later.assignments[0]?.id;
    expect((await subscription.waitForMessage(({ calendarChanged: { entryId } }) => entryId === wanted)).calendarChanged.kind).toBe('CREATED');
  });
});

describe('a client that reads too slowly', () => {
  interface Pausable {
    pause(): void;
    resume(): void;
  }
  const streamOf = (socket: WsTestClient): Pausable => (socket.socket() as unknown as { _socket: Pausable })._socket;

  /** A guide with an entry of this size, and a way to tell of it any number of times. */
  async function heavyGuide(bytes: number) {
    const guide = await newGuide();
    const { assignmentIds } = await house.records.booking(offerId, at(0), { guideIds: [guide.guideId], notes: 'n'.repeat(bytes) });
    const event = JSON.stringify({ kind: 'calendar', guideId: guide.guideId, assignmentId: assignmentIds[0], change: 'UPDATED' });
    // PostgreSQL sends equal notifications of one transaction once; blanks make them unlike.
    const tell = (times: number) => house.records.query(`select pg_notify('lotse_event', $1::text || repeat(' ', n)) from generate_series(1, $2::int) n`, [event, times]);
    return { ...guide, tell };
  }

  test('gets one REFETCH for all that it missed, and every change after it', async () => {
    const slow = await heavyGuide(300_000);
    const quick = await heavyGuide(10);
    const socket = connect(slow.token);
    const subscription = await follow(socket, slow.sessionId, slow.guideId);
    const fence = await follow(connect(quick.token), quick.sessionId, quick.guideId);
    streamOf(socket).pause();
    await slow.tell(400);
    await quick.tell(1);
    // Events come in order: whatever the slow one was told is with the server now.
    await fence.waitForMessage();
    streamOf(socket).resume();
    await subscription.waitForMessage(({ calendarChanged: { kind } }) => kind === 'REFETCH');
    await slow.tell(1);
    expect((await subscription.waitForMessage()).calendarChanged.kind).toBe('UPDATED');
    const kinds = subscription.messages.items.map(({ data }) => data.calendarChanged.kind);
    expect(kinds.filter((kind) => kind === 'REFETCH').length).toBeGreaterThanOrEqual(1);
    expect(kinds.length).toBeLessThan(150);
    expect(socket.closes.items).toEqual([]);
  });

  test('and leaves more waiting than the bound is let go, and comes back', async () => {
    const slow = await heavyGuide(2_000_000);
    const socket = connect(slow.token);
    const subscriptions = [await follow(socket, slow.sessionId, slow.guideId)];
    for (let more = 0; more < 9; more += 1) subscriptions.push(socket.subscribe<Change>(FOLLOW, { guideId: slow.guideId }));
    // Followed before by this session: each later one begins with REFETCH, so it stands.
    await Promise.all(subscriptions.slice(1).map((subscription) => subscription.waitForMessage()));
    const stuck = socket.socket();
    streamOf(socket).pause();
    await slow.tell(1);
    // Nothing is read, so only a failing write can show that the server has let go.
    const isOpen = () => stuck?.readyState === 1;
    while (isOpen()) {
      stuck?.pong();
      await new Promise((resolve) => void setImmediate(resolve));
    }
    expect([1006, 1013]).toContain((await socket.closes.waitFor()).code);
    for (const subscription of subscriptions) expect((await subscription.waitForMessage(() => true, 20_000)).calendarChanged.kind).toBe('REFETCH');
  });
});
