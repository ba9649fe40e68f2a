import { randomUUID } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { client, login, REFRESH, type Session } from '../../testkit/client.js';
import { type Federation, type House, startFederation, until } from '../../testkit/federation.js';
import { PASSWORD } from '../../testkit/records.js';
import { type WsSubscription, wsClient } from '../../testkit/socket.js';
import { type Change, type FollowedEntry, Follower } from './support/follower.js';

/* A guide's calendar, open at the gateway while everything around it ends and begins again. */

let federation: Federation;
const followers: Follower[] = [];
beforeAll(async () => {
  federation = await startFederation();
});
afterAll(async () => {
  await Promise.all(followers.map((follower) => follower.dispose()));
  await federation?.close();
});

/** Bookings of this file begin here, one each quarter of an hour. */
const FIRST = Date.parse('2032-06-01T00:00:00.000Z');
const RANGE = { start: new Date(FIRST).toISOString(), end: '2032-12-01T00:00:00.000Z' };
const BOOK = 'mutation ($input: CreateBookingInput!) { createBooking(input: $input) { __typename ... on BookingPayload { booking { id assignments { id } } } } }';
type Booked = { createBooking: { booking: { id: string; assignments: { id: string }[] } } };
let booked = 0;

/** Books Greta at alpha; gives the entry she is to see. */
async function book(url: string, staff: string): Promise<FollowedEntry> {
  const { alpha } = federation;
  const number = (booked += 1);
  const start = new Date(FIRST + number * 900_000).toISOString();
  const content = { customer: { name: `Customer ${number}`, email: `customer${number}@post.example`, phone: `+49 ${number}` }, partySize: number, language: 'de', notes: `Note ${number}` };
  const [offer] = alpha.offers;
  const input = { ...content, idempotencyKey: randomUUID(), offerId: offer?.id, guideIds: [alpha.guide('greta').id], time: { start, end: new Date(Date.parse(start) + 600_000).toISOString() } };
  const { data } = await client(url).query<Booked>(BOOK, { input }, staff);
  const { id, assignments } = data.createBooking.booking;
  return { id: assignments[0]?.id ?? '', start, offerTitle: offer?.title ?? '', details: { bookingId: id, ...content } };
}

/** What Greta’s calendar holds, asked of her house itself. */
async function truth(): Promise<FollowedEntry[]> {
  const { alpha } = federation;
  const document = 'query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { calendar(range: $range) { id start offerTitle details { bookingId customer { name email phone } partySize language notes } } } }';
  const { data } = await client(alpha.url).query<{ guide: { calendar: FollowedEntry[] } }>(document, { id: alpha.guide('greta').id, range: RANGE }, await alpha.staffToken());
  return data.guide.calendar;
}

const tokenOf = (token: string) => (): string => token;

/** Greta’s session as a front end keeps it: the access token while it is good, then a fresh one for the refresh token. */
class Keeper {
  /** Every token that was ever handed out. */
  readonly tokens: string[] = [];

  private constructor(
    private access: string,
    private refreshToken: string,
  ) {}

  /** With a first access token of this session that has only `life` seconds left. */
  static async open(house: House, life: number): Promise<Keeper> {
    const session: Session = await login(federation.gateway.url, house.guide('greta').account.email, PASSWORD, 'GUIDE', house.code);
    const { sub, sid, role, guide } = jsonwebtoken.decode(session.accessToken) as Record<string, string>;
    const token = await house.records.accessToken({ sub, sid, role, guide }, { now: new Date(Date.now() - (300 - life) * 1_000) });
    return new Keeper(token, session.refreshToken);
  }

  get = async (): Promise<string> => {
    const { exp } = jsonwebtoken.decode(this.access) as { exp: number };
    if (exp * 1_000 <= Date.now()) {
      const { data } = await client(federation.gateway.url).query<{ refreshSession: Session }>(REFRESH, { token: this.refreshToken });
      this.access = data.refreshSession.accessToken;
      this.refreshToken = data.refreshSession.refreshToken;
    }
    this.tokens.push(this.access);
    return this.access;
  };
}

async function follow(token: () => Promise<string>): Promise<Follower> {
  const { alpha, gateway } = federation;
  const rows = async (): Promise<number> => (await alpha.records.query('select 1 from session_subscription')).length;
  const before = await rows();
  const follower = new Follower({ url: gateway.url, guideId: alpha.guide('greta').id, range: RANGE, token });
  followers.push(follower);
  await until(async () => (await rows()) > before, 'she is subscribed');
  await follower.load();
  return follower;
}

const isOf = (entry: FollowedEntry) => (change: Change): boolean => change.entryId === entry.id;
const isCaughtUp = (follower: Follower) => async (): Promise<boolean> => JSON.stringify(follower.entries) === JSON.stringify(await truth());

/** After an interruption: nothing that was booked is missing, and what is booked now comes as a change. */
async function expectComplete(follower: Follower, staff: string): Promise<void> {
  await until(isCaughtUp(follower), 'she sees all that is booked');
  const entry = await book(federation.gateway.url, staff);
  expect(await follower.changes.waitFor(isOf(entry))).toEqual({ kind: 'CREATED', entryId: entry.id, entry });
  expect(follower.entries).toEqual(await truth());
}

test('what staff book through the gateway is on the guide’s open calendar at once, in full', async () => {
  const { alpha, gateway } = federation;
  const [token, staff] = [await alpha.guideToken('greta'), await alpha.staffToken()];
  const follower = await follow(() => Promise.resolve(token));
  const delays: number[] = [];
  for (let count = 0; count < 50; count += 1) {
    const started = performance.now();
    const entry = await book(gateway.url, staff);
    const change = await follower.changes.waitFor(isOf(entry));
    delays.push(performance.now() - started);
    expect(change).toEqual({ kind: 'CREATED', entryId: entry.id, entry });
  }
  expect(follower.changes.items.length).toBe(50);
  expect(follower.entries).toEqual(await truth());
  delays.sort((one, other) => one - other);
  console.log(`From the booking sent to the change received, at the gateway: median ${delays[25]?.toFixed(1)} ms, slowest ${delays[49]?.toFixed(1)} ms of 50.`);
});

describe('what another house does with her', () => {
  interface Told {
    calendarChanged: { kind: string; entryId: string; instance: { code: string } | null; entry: Record<string, unknown> | null };
  }
  const FOLLOW = `subscription ($id: ID!) { calendarChanged(guideId: $id) { kind entryId instance { code } entry { id start end origin kind offerTitle instance { code name url } details { bookingId } } } }`;
  const AT = { start: '2031-07-01T10:00:00.000Z', end: '2031-07-01T11:00:00.000Z' };
  const LATER = { start: '2031-07-02T10:00:00.000Z', end: '2031-07-02T11:00:00.000Z' };

  test('comes to her open calendar at alpha through the gateway, redacted; alpha’s staff hear nothing', async () => {
    const { alpha, beta, gateway } = federation;
    const greta = wsClient(gateway.url, tokenOf(await alpha.guideToken('greta')));
    const staff = wsClient(gateway.url, tokenOf(await alpha.staffToken()));
    const before = (await alpha.records.query('select 1 from session_subscription')).length;
    const [hers, theirs] = [greta, staff].map((socket) => socket.subscribe<Told>(FOLLOW, { id: alpha.guide('greta').id })) as [WsSubscription<Told>, WsSubscription<Told>];
    await until(async () => (await alpha.records.query('select 1 from session_subscription')).length === before + 2, 'both are subscribed');
    const there = await beta.staffToken();
    const run = async (document: string, input: Record<string, unknown>) => {
      const { data } = await client(gateway.url).query<Record<string, { booking: { id: string; version: number; assignments: { id: string }[] } }>>(document, { input: { idempotencyKey: randomUUID(), ...input } }, there);
      return Object.values(data)[0]?.booking;
    };
    const PAYLOAD = '{ __typename ... on BookingPayload { booking { id version assignments { id } } } }';
    const [offer] = beta.offers;
    const made = await run(`mutation ($input: CreateBookingInput!) { createBooking(input: $input) ${PAYLOAD} }`, { offerId: offer?.id, guideIds: [beta.guide('greta').id], customer: { name: 'Somebody' }, time: AT });
    const entryId = made?.assignments[0]?.id ?? '';
    const entry = { id: entryId, ...AT, origin: 'FOREIGN', kind: 'BOOKING', offerTitle: offer?.title, instance: beta.info, details: null };
    const told = { entryId, instance: { code: 'beta' } };
    const next = async () => (await hers.waitForMessage()).calendarChanged;
    expect(await next()).toEqual({ ...told, kind: 'CREATED', entry });
    const moved = await run(`mutation ($input: RebookBookingInput!) { rebookBooking(input: $input) ${PAYLOAD} }`, { bookingId: made?.id, expectedVersion: made?.version, time: LATER });
    expect(await next()).toEqual({ ...told, kind: 'UPDATED', entry: { ...entry, ...LATER } });
    await run(`mutation ($input: CancelBookingInput!) { cancelBooking(input: $input) ${PAYLOAD} }`, { bookingId: made?.id, expectedVersion: moved?.version, reason: 'x', origin: 'HOUSE' });
    expect(await next()).toEqual({ ...told, kind: 'REMOVED', entry: null });
    const own = await book(gateway.url, await alpha.staffToken());
    for (const subscription of [hers, theirs]) expect((await subscription.waitForMessage()).calendarChanged).toMatchObject({ kind: 'CREATED', entryId: own.id, instance: { code: 'alpha' } });
    expect(theirs.messages.items).toHaveLength(1);
    await Promise.all([greta.dispose(), staff.dispose()]);
  });
});

test('her client lives through the end of its token: closed with 4403, it comes back with a fresh one', async () => {
  const { alpha } = federation;
  const staff = await alpha.staffToken();
  const keeper = await Keeper.open(alpha, 2);
  const follower = await follow(keeper.get);
  expect(await follower.closes.waitFor(() => true, 10_000)).toEqual({ code: 4403, reason: expect.stringContaining('TOKEN_EXPIRED') });
  const missed = await book(alpha.url, staff);
  expect((await follower.changes.waitFor()).kind).toBe('REFETCH');
  await expectComplete(follower, staff);
  expect(follower.entries.some(({ id }) => id === missed.id)).toBe(true);
  expect(new Set(keeper.tokens).size).toBe(2);
});

test('it is closed within a second of a log-out, and follows again in the session after the next log-in', async () => {
  const { alpha, gateway } = federation;
  const staff = await alpha.staffToken();
  let token = await alpha.guideToken('greta');
  const follower = await follow(() => Promise.resolve(token));
  const ended = token;
  token = await alpha.guideToken('greta');
  const started = performance.now();
  const { data } = await client(gateway.url).query('mutation { logout { endedSessions } }', {}, ended);
  expect(data).toEqual({ logout: { endedSessions: 1 } });
  const { code, reason } = await follower.closes.waitFor(() => true, 1_000);
  expect({ code, reason: reason.includes('TOKEN_REVOKED') }).toEqual({ code: 4403, reason: true });
  console.log(`Closed ${(performance.now() - started).toFixed(0)} ms after the log-out was sent.`);
  await follower.connections.waitFor(() => follower.connections.items.length === 2);
  // Who signs in anew begins anew: subscribed first, loaded then.
  const { sid } = jsonwebtoken.decode(token) as { sid: string };
  await until(async () => (await alpha.records.query('select 1 from session_subscription where session_id = $1', [sid])).length === 1, 'she is subscribed');
  await follower.load();
  await expectComplete(follower, staff);
});

/** Of the house itself, one after the other; while it is down, nothing is booked. */
async function bookUntil(signal: AbortSignal, staff: string): Promise<void> {
  while (!signal.aborted) {
    await book(federation.alpha.url, staff).catch(() => undefined);
    await new Promise((resolve) => void setTimeout(resolve, 10));
  }
}

describe('while staff go on booking', () => {
  const interruptions: [string, (federation: Federation) => Promise<void>, number | undefined][] = [
    ['the gateway is restarted', ({ gateway }) => gateway.restart(), 1012],
    ['the gateway is killed', async ({ gateway }) => { await gateway.kill(); await gateway.start(); }, 1006],
    ['her house is restarted', ({ alpha }) => alpha.server.restart(), undefined],
    ['her house is killed', async ({ alpha }) => { await alpha.server.kill(); await alpha.server.start(); }, undefined],
  ];
  test.each(interruptions)('%s: she is told to load again and misses nothing', async (_what, interrupt, closeCode) => {
    const { alpha } = federation;
    const staff = await alpha.staffToken();
    const token = await alpha.guideToken('greta');
    const follower = await follow(() => Promise.resolve(token));
    const over = new AbortController();
    const booking = bookUntil(over.signal, staff);
    try {
      await follower.changes.waitFor();
      await interrupt(federation);
      await follower.changes.waitFor(({ kind }) => kind === 'REFETCH', 15_000);
    } finally {
      over.abort();
      await booking;
    }
    await expectComplete(follower, staff);
    expect(follower.closes.items.map(({ code }) => code)[0]).toBe(closeCode);
  });
});
