import { type BookingOp, checkAll, type ControlOp, type DisputeOp, type Finding, type Op, type OfferOp, type ProfileOp, type RequestOp, type RuleOp, type Snapshot, type Snapshots, steady, checkDoubleBookings, Traces, leaksInAnswer, type World } from './index.js';

/*
 * The checker itself: silent where all is well, and each planted fault is found. What it judges here was written by hand.
 */

const MINTED = '2031-01-01T00:00:00.000Z';
const hour = (number: number): string => `2031-05-05T${String(number).padStart(2, '0')}:00:00.000Z`;
const stamp = (milliseconds: number, house: string): string => `${String(milliseconds).padStart(15, '0')}-00000000-${house}`;

const world: World = {
  houses: ['alpha', 'beta'],
  persons: [
    { name: 'anna', guideIds: { alpha: 'anna-a', beta: 'anna-b' }, couplings: [{ id: 'c1', houses: ['alpha', 'beta'] }], sharesBankData: true },
    { name: 'hanno', guideIds: { alpha: 'hanno-a' }, couplings: [], sharesBankData: false },
    { name: 'jana', guideIds: { alpha: 'jana-a', beta: 'jana-b' }, couplings: [{ id: 'c3', houses: ['beta', 'alpha'] }], sharesBankData: false, ends: 'AGAIN' },
    { name: 'emil', guideIds: { alpha: 'emil-a', beta: 'emil-b' }, couplings: [{ id: 'c5', houses: ['alpha', 'beta'] }], sharesBankData: false, decidesOnBankData: true },
    { name: 'lena', guideIds: { alpha: 'lena-a', beta: 'lena-b' }, couplings: [], sharesBankData: false, ends: 'FOR_GOOD' },
  ],
};

const guide = (id: string, firstName: string, phone = '1') => ({ id, globalId: null, keeper: id === 'hanno-a' ? null : 'alpha', firstName, lastName: 'L', email: 'e', phone, languages: 'de', bankData: 'Holder', sharesBankData: String(id.startsWith('anna') || id === 'emil-a') });
const assignment = (id: string, guideId: string, bookingId: string | null, start: number, end: number, more: Partial<Snapshot['assignments'][number]> = {}) => ({
  id, guideId, bookingId, start: hour(start), end: hour(end), ended: false, version: 1, claimVersion: 1, kind: 'BOOKING', verification: guideId === 'hanno-a' ? 'NOT_NEEDED' : 'VERIFIED', note: null, ...more,
});
const booking = (id: string, start: number, end: number, version: number, notes: string, state = 'BOOKED') => ({ id, offerId: 'o-' + id[0], state, start: hour(start), end: hour(end), version, notes, guideDemand: 1 });
const request = (id: string, bookingId: string, guideId: string, start: number, end: number, state: string, withdrawal: string | null = null) => ({ id, bookingId, guideId, offerId: 'o-a', start: hour(start), end: hour(end), state, withdrawal });
const foreign = (id: string, guideId: string, start: number, end: number, title: string, more: Partial<Snapshot['foreign'][number]> = {}) => ({
  couplingId: 'c1', id, guideId, incarnation: 1, version: 1, start: hour(start), end: hour(end), title, kind: 'BOOKING', ended: false, disputed: false, ...more,
});
const claim = (assignmentId: string, holder: string, start: number, end: number, version = 1) => ({
  id: assignmentId, guideId: 'anna-a', holder, incarnation: 1, version, start: hour(start), end: hour(end), state: 'VERIFIED',
});
const stamps = (guideId: string) => ['firstName', 'lastName', 'email', 'phone', 'languages', 'bankData'].map((field) => ({ guideId, field, stamp: field === 'phone' ? stamp(500, 'beta') : stamp(100, 'alpha') }));

const key = (kid: string, partner: string, side: string, runsOut = false) => ({ kid, partner, side, isInUse: true, runsOut });

/** Jana's first coupling (c2) has ended and another been made (c3), Lena's only one (c4) has ended. */
const couplings = (house: string): Snapshot['couplings'] => {
  const of = (id: string, name: string, state: string) => ({ id, guideId: `${name}-${house[0]}`, state, partner: house === 'alpha' ? 'beta' : 'alpha' });
  return [of('c1', 'anna', 'ACTIVE'), of('c2', 'jana', 'ENDED'), of('c3', 'jana', 'ACTIVE'), of('c4', 'lena', 'ENDED'), of('c5', 'emil', 'ACTIVE')];
};

/**
 * Anna leads a1 (10–11) and the block k1 (15–16) in alpha and b1 (12–13) in beta, a2 is cancelled, a3 deleted, Hanno leads a4. For a5 both
 * were asked and Hanno accepted first, for a6 Hanno is asked still, after Anna declined.
 */
function sound(): { snapshots: Record<string, Snapshot>; history: Op[] } {
  const rule = (guideId: string) => ({ id: 'r1', guideId, origin: 'alpha', stamp: stamp(300, 'beta'), deleted: false, startTime: '09:15', validFrom: '2031-05-02', version: 2, holidays: '2031-05-01', rest: '[]' });
  const empty = { blockTitle: 'Blocked', incarnation: 1, requests: [], rules: [], entries: [], outbox: [], holidays: [], couplings: [], disputes: [], stamps: [], claims: [], foreign: [] };
  const alpha: Snapshot = {
    ...empty,
    code: 'alpha',
    holidays: ['2031-05-01'],
    offers: [{ id: 'o-a', title: 'Second title', version: 2 }],
    guides: [guide('anna-a', 'Anna', '2'), guide('hanno-a', 'Hanno'), guide('jana-a', 'Jana'), guide('lena-a', 'Lena', '5'), guide('emil-a', 'Emil')],
    couplings: couplings('alpha'),
    keys: [key('ka1', 'beta', 'OWN', true), key('ka2', 'beta', 'OWN'), key('kb1', 'beta', 'PARTNER')],
    stamps: [...stamps('anna-a'), ...stamps('jana-a'), ...stamps('emil-a')],
    bookings: [booking('a1', 10, 11, 2, 'm1'), booking('a2', 9, 10, 2, 'm2', 'CANCELLED'), booking('a4', 10, 12, 1, 'm4'), booking('a5', 13, 14, 2, 'm6'), booking('a6', 17, 18, 1, 'm7')],
    requests: [
      request('q1', 'a5', 'hanno-a', 13, 14, 'ACCEPTED'),
      request('q2', 'a5', 'anna-a', 13, 14, 'WITHDRAWN', 'FILLED'),
      request('q3', 'a6', 'hanno-a', 17, 18, 'OPEN'),
      request('q4', 'a6', 'anna-a', 17, 18, 'DECLINED'),
    ],
    assignments: [
      assignment('x1', 'anna-a', 'a1', 10, 11, { version: 3, claimVersion: 2 }),
      assignment('x2', 'anna-a', 'a2', 9, 10, { ended: true, version: 2 }),
      assignment('x3', 'anna-a', null, 10, 11, { ended: true, version: 2 }),
      assignment('x4', 'hanno-a', 'a4', 10, 12),
      assignment('x5', 'hanno-a', 'a5', 13, 14),
      assignment('k1', 'anna-a', null, 15, 16, { kind: 'BLOCK', note: 'mk' }),
    ],
    foreign: [foreign('y1', 'anna-a', 12, 13, 'Beta tour')],
    rules: [rule('anna-a'), { ...rule('lena-a'), id: 'r5' }],
    entries: [{ id: 'e1', guideId: 'anna-a' }],
    claims: [claim('x1', 'alpha', 10, 11, 2), claim('k1', 'alpha', 15, 16), claim('y1', 'beta', 12, 13)],
  };
  const beta: Snapshot = {
    ...empty,
    code: 'beta',
    rules: [rule('anna-b')],
    offers: [{ id: 'o-b', title: 'Beta tour', version: 1 }],
    guides: [guide('anna-b', 'Anna', '2'), guide('jana-b', 'Jana'), guide('lena-b', 'Lena', '4'), guide('emil-b', 'Emil')],
    couplings: couplings('beta'),
    keys: [key('ka1', 'alpha', 'PARTNER', true), key('ka2', 'alpha', 'PARTNER'), key('kb1', 'alpha', 'OWN')],
    stamps: [...stamps('anna-b'), ...stamps('jana-b'), ...stamps('emil-b')],
    bookings: [booking('b1', 12, 13, 1, 'm5')],
    assignments: [assignment('y1', 'anna-b', 'b1', 12, 13)],
    foreign: [
      foreign('x1', 'anna-b', 10, 11, 'Second title', { version: 3 }),
      foreign('x2', 'anna-b', 9, 10, 'First title', { ended: true, version: 2 }),
      foreign('k1', 'anna-b', 15, 16, 'Blocked', { kind: 'BLOCK' }),
    ],
  };
  return { snapshots: { alpha, beta }, history: history() };
}

const base = (n: number, house = 'alpha') => ({ n, house, startedAt: n, endedAt: n, attempts: 1, outcome: { kind: 'ok' as const } });
const create = (n: number, mark: string, id: string, house: string, start: number, end: number, guides: [string, string][]): BookingOp => ({
  ...base(n, house), subject: 'booking', action: 'create', mark, effect: { start: hour(start), end: hour(end), state: 'BOOKED', guideIds: guides.map(([, guideId]) => guideId) },
  answer: { id, version: 1, state: 'BOOKED', start: hour(start), end: hour(end), offerId: `o-${house[0]}`, assignments: guides.map(([at, guideId]) => ({ id: at, guideId, start: hour(start), end: hour(end) })) },
});
const profile = (n: number, house: string, guideId: string, values: Record<string, string>, expectedVersion: number, clockAtLeast = 0): ProfileOp => ({
  ...base(n, house), subject: 'profile', guideId, values, expectedVersion, answerVersion: expectedVersion + 1, clockAtLeast,
});

const ruled = (n: number, action: RuleOp['action'], house: string, more: Partial<RuleOp>): RuleOp => ({ ...base(n, house), subject: 'rule', action, person: 'anna', ruleId: 'r1', clockAtLeast: 0, ...more });
const ended = (n: number, house: string, of: string): ControlOp => ({ ...base(n, house), subject: 'coupling', action: 'end', of });
const disputed = (n: number, action: DisputeOp['action'], house: string, of: string): DisputeOp => ({ ...base(n, house), subject: 'dispute', action, of });
const asked = (n: number, action: RequestOp['action'], mark: string, guideIds: string[], requestIds: string[]): RequestOp => ({ ...base(n), subject: 'request', action, mark, guideIds, requestIds });

function history(): Op[] {
  const made = create(1, 'm1', 'a1', 'alpha', 8, 9, [['x1', 'anna-a']]);
  const moved: BookingOp = {
    ...base(2), subject: 'booking', action: 'rebook', mark: 'm1', bookingId: 'a1', expectedVersion: 1, effect: { start: hour(10), end: hour(11) },
    answer: { ...(made.answer as NonNullable<BookingOp['answer']>), version: 2, start: hour(10), end: hour(11), assignments: [{ id: 'x1', guideId: 'anna-a', start: hour(10), end: hour(11) }] },
  };
  const cancelled: BookingOp = { ...base(4), outcome: { kind: 'unknown', why: 'TIMEOUT' }, subject: 'booking', action: 'cancel', mark: 'm2', bookingId: 'a2', expectedVersion: 1, effect: { state: 'CANCELLED', guideIds: [] } };
  const deleted: BookingOp = { ...base(6), subject: 'booking', action: 'delete', mark: 'm3', bookingId: 'a3', expectedVersion: 1, effect: { gone: true } };
  const renamed: OfferOp = { ...base(7), subject: 'offer', offerId: 'o-a', title: 'Second title', expectedVersion: 1, answerVersion: 2 };
  return [
    made, moved,
    create(3, 'm2', 'a2', 'alpha', 9, 10, [['x2', 'anna-a']]), cancelled,
    create(5, 'm3', 'a3', 'alpha', 10, 11, [['x3', 'anna-a']]), deleted,
    renamed,
    create(8, 'm4', 'a4', 'alpha', 10, 12, [['x4', 'hanno-a']]),
    create(9, 'm5', 'b1', 'beta', 12, 13, [['y1', 'anna-b']]),
    create(16, 'm6', 'a5', 'alpha', 13, 14, []),
    asked(17, 'ask', 'm6', ['hanno-a', 'anna-a'], ['q1', 'q2']), asked(18, 'accept', 'm6', ['hanno-a'], ['q1']),
    create(19, 'm7', 'a6', 'alpha', 17, 18, []),
    asked(20, 'ask', 'm7', ['hanno-a', 'anna-a'], ['q3', 'q4']), asked(21, 'decline', 'm7', ['anna-a'], ['q4']),
    ruled(12, 'create', 'alpha', { startTime: '08:00', validFrom: '2031-05-01', answerVersion: 1, clockAtLeast: 200 }),
    ruled(13, 'edit', 'beta', { startTime: '09:15', validFrom: '2031-05-02', expectedVersion: 1, answerVersion: 2, clockAtLeast: 300 }),
    { ...base(15), subject: 'block', action: 'create', mark: 'mk', effect: { guideId: 'anna-a', start: hour(15), end: hour(16) }, answer: { id: 'k1', version: 1, guideId: 'anna-a', start: hour(15), end: hour(16) } },
    { ...base(14), subject: 'entry', action: 'absence', guideId: 'anna-a', entryIds: ['e1'] },
    profile(10, 'alpha', 'anna-a', { phone: '0' }, 1, 400),
    ended(22, 'alpha', 'c2'), ended(23, 'beta', 'c4'),
    profile(24, 'beta', 'lena-b', { phone: '4' }, 1), profile(25, 'alpha', 'lena-a', { phone: '5' }, 1),
    ruled(26, 'create', 'alpha', { person: 'lena', ruleId: 'r5', startTime: '09:15', validFrom: '2031-05-02', answerVersion: 1, clockAtLeast: 200 }),
    { ...base(31), subject: 'holidays', days: ['2031-05-01'] }, { ...base(32), subject: 'entry', action: 'absence', guideId: 'anna-a', entryIds: ['e2'] }, { ...base(33), subject: 'entry', action: 'remove', guideId: '', entryIds: ['e2'] },
    { ...base(27), subject: 'link', action: 'rotate', of: 'beta' }, { ...base(28), subject: 'setting', blockTitle: 'Blocked' },
    profile(29, 'alpha', 'emil-a', { bankData: 'Holder' }, 1, 90), profile(30, 'alpha', 'emil-a', { sharesBankData: 'true' }, 2),
    profile(11, 'beta', 'anna-b', { phone: '2' }, 1, 500),
  ];
}

/** What is found once this has been done to a federation in which all is well. */
function found(plant: (alpha: Snapshot, beta: Snapshot, history: Op[]) => void): string[] {
  const { snapshots, history: ops } = sound();
  plant(snapshots['alpha'] as Snapshot, snapshots['beta'] as Snapshot, ops);
  return [...new Set(checkAll(world, ops, snapshots).map(({ check }) => check))].sort();
}

const first = <T>(rows: T[], is: (row: T) => boolean): T => {
  const row = rows.find(is);
  if (row === undefined) throw new Error('the test plants in a row that is not there');
  return row;
};
const without = <T>(rows: T[], is: (row: T) => boolean): void => void rows.splice(rows.indexOf(first(rows, is)), 1);

/** Anna says in alpha that what comes from beta is none of hers. */
function dispute(alpha: Snapshot, ops: Op[]): void {
  first(alpha.foreign, ({ id }) => id === 'y1').disputed = true;
  ops.push(disputed(90, 'dispute', 'alpha', 'y1'));
}

test('says nothing where all is well', () => {
  const { snapshots, history: ops } = sound();
  expect(checkAll(world, ops, snapshots)).toEqual([]);
});

test.each<[string, string[], Parameters<typeof found>[0]]>([
  ['a replica that is missing', ['replica'], (_alpha, beta) => without(beta.foreign, ({ id }) => id === 'x1')],
  ['a replica of an older version', ['replica'], (_alpha, beta) => void (first(beta.foreign, ({ id }) => id === 'x1').version = 2)],
  ['a replica at another time', ['replica'], (_alpha, beta) => void (first(beta.foreign, ({ id }) => id === 'x1').start = hour(9))],
  ['a replica with the title of before', ['replica'], (_alpha, beta) => void (first(beta.foreign, ({ id }) => id === 'x1').title = 'First title')],
  ['a replica of an earlier incarnation', ['replica'], (_alpha, beta) => void (first(beta.foreign, ({ id }) => id === 'x1').incarnation = 0)],
  ['a replica that lives after its end', ['replica'], (_alpha, beta) => void (first(beta.foreign, ({ id }) => id === 'x2').ended = false)],
  ['a replica that has ended too early', ['replica'], (_alpha, beta) => void (first(beta.foreign, ({ id }) => id === 'x1').ended = true)],
  ['a replica of another kind', ['replica'], (_alpha, beta) => void (first(beta.foreign, ({ id }) => id === 'k1').kind = 'BOOKING')],
  ['a replica of nobody', ['replica'], (_alpha, beta) => void beta.foreign.push(foreign('x9', 'anna-b', 20, 21, 'Ghost'))],
  ['a replica of a coupling that nobody made', ['replica'], (_alpha, beta) => void beta.foreign.push(foreign('x9', 'anna-b', 20, 21, 'Ghost', { couplingId: 'c9', ended: true }))],
  ['what still waits', ['backlog'], (alpha) => void alpha.outbox.push({ couplingId: 'c1', kind: 'ASSIGNMENT', recordId: 'x1', refusedCode: null })],
  ['a booking that is lost', ['lost effect', 'replica'], (alpha) => {
    without(alpha.bookings, ({ id }) => id === 'a1');
  }],
  ['a booking that is back in its version of before', ['lost effect'], (alpha) => void (first(alpha.bookings, ({ id }) => id === 'a1').version = 1)],
  ['a booking at another time than was answered', ['lost effect'], (alpha) => void (first(alpha.bookings, ({ id }) => id === 'a1').start = hour(8))],
  ['an assignment that is lost', ['claim', 'lost effect', 'replica'], (alpha) => without(alpha.assignments, ({ id }) => id === 'x1')],
  ['an assignment that outlives its booking', ['claim', 'double booking', 'lost effect', 'replica'], (alpha) => void (first(alpha.assignments, ({ id }) => id === 'x3').ended = false)],
  ['a cancellation that happened by halves', ['claim', 'lost effect', 'replica'], (alpha) => void (first(alpha.assignments, ({ id }) => id === 'x2').ended = false)],
  ['a deletion that did not happen', ['lost effect'], (alpha) => void alpha.bookings.push(booking('a3', 10, 11, 1, 'm3'))],
  ['a booking made twice', ['duplicated effect'], (alpha) => void alpha.bookings.push(booking('a9', 18, 19, 1, 'm1'))],
  ['a booking that nobody made', ['duplicated effect'], (alpha) => void alpha.bookings.push(booking('a9', 18, 19, 1, 'm9'))],
  ['a change made twice', ['duplicated effect'], (alpha) => void (first(alpha.bookings, ({ id }) => id === 'a1').version = 3)],
  ['a change that was refused and made', ['duplicated effect'], (_alpha, _beta, ops) => {
    const at = ops.findIndex(({ n }) => n === 8);
    ops[at] = { ...(ops[at] as Op), outcome: { kind: 'refused', code: 'GUIDE_UNAVAILABLE' } } as Op;
  }],
  ['a request accepted without an assignment', ['lost effect'], (alpha) => without(alpha.assignments, ({ id }) => id === 'x5')],
  ['an acceptance that made no change of the booking', ['lost effect'], (alpha) => void (first(alpha.bookings, ({ id }) => id === 'a5').version = 1)],
  ['an acceptance undone by nobody', ['lost effect'], (alpha) => void (first(alpha.assignments, ({ id }) => id === 'x5').ended = true)],
  ['an acceptance that is withdrawn', ['duplicated effect', 'lost effect'], (alpha) => {
    Object.assign(first(alpha.requests, ({ id }) => id === 'q1'), { state: 'WITHDRAWN', withdrawal: 'FILLED' });
  }],
  ['a request both accepted and withdrawn', ['duplicated effect'], (_alpha, _beta, ops) => void ops.push(asked(90, 'withdraw', 'm6', ['hanno-a'], ['q1']))],
  ['a request accepted by nobody', ['duplicated effect', 'lost effect'], (alpha) => {
    Object.assign(first(alpha.requests, ({ id }) => id === 'q3'), { state: 'ACCEPTED' });
  }],
  ['a declined request that is open', ['lost effect'], (alpha) => void (first(alpha.requests, ({ id }) => id === 'q4').state = 'OPEN')],
  ['more guides assigned who accepted than are needed', ['duplicated effect', 'request'], (alpha, _beta, ops) => {
    first(alpha.requests, ({ id }) => id === 'q2').state = 'ACCEPTED';
    first(alpha.bookings, ({ id }) => id === 'a5').version = 3;
    alpha.assignments.push(assignment('x6', 'ilka-a', 'a5', 13, 14, { verification: 'NOT_NEEDED' }));
    first(alpha.requests, ({ id }) => id === 'q2').guideId = 'ilka-a';
    ops.push(asked(90, 'accept', 'm6', ['ilka-a'], ['q2']));
  }],
  ['a request that is open though the booking has its guides', ['request'], (alpha) => {
    Object.assign(first(alpha.requests, ({ id }) => id === 'q2'), { state: 'OPEN', withdrawal: null });
  }],
  ['a request that is open though its guide leads the booking', ['duplicated effect', 'request'], (alpha) => {
    first(alpha.bookings, ({ id }) => id === 'a5').guideDemand = 2;
    Object.assign(first(alpha.requests, ({ id }) => id === 'q2'), { state: 'OPEN', withdrawal: null, guideId: 'hanno-a' });
  }],
  ['a request that is open for a cancelled booking', ['lost effect', 'request'], (alpha) => void (first(alpha.bookings, ({ id }) => id === 'a6').state = 'CANCELLED')],
  ['a request that is open for another time', ['lost effect', 'request'], (alpha) => void (first(alpha.bookings, ({ id }) => id === 'a6').start = hour(18))],
  ['a request that is lost', ['lost effect'], (alpha) => without(alpha.requests, ({ id }) => id === 'q3')],
  ['a guide who is asked twice', ['duplicated effect'], (alpha) => void alpha.requests.push(request('q9', 'a6', 'anna-a', 17, 18, 'WITHDRAWN', 'BOOKING_CHANGED'))],
  ['a coupling that revives', ['coupling', 'lost effect'], (alpha) => void (first(alpha.couplings, ({ id }) => id === 'c2').state = 'ACTIVE')],
  ['a coupling that one house has not ended', ['coupling'], (alpha) => void (first(alpha.couplings, ({ id }) => id === 'c4').state = 'ACTIVE')],
  ['a coupling whose end is forgotten', ['lost effect'], (alpha) => without(alpha.couplings, ({ id }) => id === 'c2')],
  ['a coupling that nobody ended', ['coupling', 'duplicated effect'], (alpha) => void (first(alpha.couplings, ({ id }) => id === 'c1').state = 'ENDED')],
  ['a coupling that was made anew and is not there', ['coupling'], (alpha) => without(alpha.couplings, ({ id }) => id === 'c3')],
  ['a coupling of another guide', ['coupling'], (alpha) => void (first(alpha.couplings, ({ id }) => id === 'c3').guideId = 'lena-a')],
  ['a coupling that nobody was to have', ['coupling'], (alpha) => void alpha.couplings.push({ id: 'c9', guideId: 'hanno-a', state: 'REQUESTED', partner: 'beta' })],
  ['a foreign booking that outlives its coupling', ['coupling', 'replica'], (_alpha, beta) => void beta.foreign.push(foreign('x9', 'lena-b', 20, 21, 'Ghost', { couplingId: 'c4' }))],
  ['a tombstone that outlives its coupling', ['coupling', 'replica'], (_alpha, beta) => void beta.foreign.push(foreign('x9', 'jana-b', 20, 21, 'Ghost', { couplingId: 'c2', ended: true }))],
  ['a rule that outlives its coupling', ['coupling'], (_alpha, beta) => void beta.rules.push({ ...first(beta.rules, () => true), id: 'r5', guideId: 'lena-b' })],
  ['a rule that went with a coupling where it was made', ['lost effect'], (alpha) => without(alpha.rules, ({ id }) => id === 'r5')],
  ['a rule that is as nobody left it after a coupling ended', ['lost effect'], (alpha) => void (first(alpha.rules, ({ id }) => id === 'r5').startTime = '10:15')],
  ['a profile emptied with a coupling', ['coupling'], (alpha) => void (first(alpha.guides, ({ id }) => id === 'lena-a').email = '')],
  ['a profile value that nobody gave after a coupling ended', ['lost effect'], (alpha) => void (first(alpha.guides, ({ id }) => id === 'lena-a').phone = '6')],
  ['a claim of somebody who is coupled no more', ['claim'], (alpha) => void alpha.claims.push({ ...claim('z9', 'beta', 20, 21), guideId: 'lena-a' })],
  ['an assignment that still waits for a word though its guide is coupled no more', ['claim', 'lost effect', 'replica'], (alpha) => {
    Object.assign(first(alpha.assignments, ({ id }) => id === 'x1'), { guideId: 'lena-a', verification: 'UNVERIFIED' });
  }],
  ['nothing where a guide disputes what his keeper verified', [], (alpha, beta, ops) => {
    dispute(alpha, ops);
    beta.disputes.push({ couplingId: 'c1', assignmentId: 'y1' });
    first(alpha.claims, ({ id }) => id === 'y1').state = 'DISPUTED';
    first(beta.assignments, ({ id }) => id === 'y1').verification = 'CONFLICT';
  }],
  ['a dispute that the claim does not show', ['claim'], (alpha, beta, ops) => {
    dispute(alpha, ops);
    beta.disputes.push({ couplingId: 'c1', assignmentId: 'y1' });
  }],
  ['a dispute that its origin has not heard of', ['dispute'], (_alpha, beta, ops) => {
    first(beta.foreign, ({ id }) => id === 'x1').disputed = true;
    ops.push(disputed(90, 'dispute', 'beta', 'x1'));
  }],
  ['a dispute that its origin still holds', ['dispute'], (_alpha, beta) => void beta.disputes.push({ couplingId: 'c1', assignmentId: 'y1' })],
  ['a dispute that is lost', ['lost effect'], (_alpha, _beta, ops) => void ops.push(disputed(90, 'dispute', 'beta', 'x1'))],
  ['a dispute of nobody', ['dispute', 'duplicated effect'], (_alpha, beta) => void (first(beta.foreign, ({ id }) => id === 'x1').disputed = true)],
  ['a dispute that was taken back', ['dispute', 'duplicated effect'], (_alpha, beta, ops) => {
    first(beta.foreign, ({ id }) => id === 'x1').disputed = true;
    ops.push(disputed(90, 'dispute', 'beta', 'x1'), disputed(91, 'withdraw', 'beta', 'x1'));
  }],
  ['a key that the partner does not have', ['key'], (_alpha, beta) => without(beta.keys, ({ kid }) => kid === 'ka2')],
  ['a key that the partner lets run out', ['key'], (_alpha, beta) => void (first(beta.keys, ({ kid }) => kid === 'ka2').runsOut = true)],
  ['two keys that sign', ['key'], (alpha) => void (first(alpha.keys, ({ kid }) => kid === 'ka1').runsOut = false)],
  ['a rotation that made two keys', ['duplicated effect'], (alpha) => void alpha.keys.push({ ...key('ka3', 'beta', 'OWN'), isInUse: false })],
  ['a rotation that is lost', ['lost effect'], (alpha) => without(alpha.keys, ({ kid }) => kid === 'ka1')],
  ['a title of blocks of before', ['lost effect'], (alpha, beta) => {
    alpha.blockTitle = 'Before';
    first(beta.foreign, ({ id }) => id === 'k1').title = 'Before';
  }],
  ['bank data that are shared and have not come', ['profile'], (_alpha, beta) => {
    first(beta.guides, ({ id }) => id === 'emil-b').bankData = null;
    first(beta.stamps, ({ guideId, field }) => guideId === 'emil-b' && field === 'bankData').stamp = '';
  }],
  ['bank data that differ under one stamp', ['lost effect', 'profile'], (_alpha, beta) => void (first(beta.guides, ({ id }) => id === 'emil-b').bankData = 'Other')],
  ['bank data of before', ['lost effect'], (alpha, beta) => {
    for (const { stamps: all } of [alpha, beta]) for (const row of all.filter(({ guideId, field }) => guideId.startsWith('emil') && field === 'bankData')) row.stamp = stamp(80, 'alpha');
  }],
  ['a decision on bank data that is lost', ['lost effect'], (alpha) => void (first(alpha.guides, ({ id }) => id === 'emil-a').sharesBankData = 'false')],
  ['an offer’s title of before', ['lost effect'], (alpha, beta) => {
    (alpha.offers[0] as { title: string }).title = 'First title';
    first(beta.foreign, ({ id }) => id === 'x1').title = 'First title';
  }],
  ['profiles that differ', ['profile'], (alpha) => void (first(alpha.guides, ({ id }) => id === 'anna-a').firstName = 'Anne')],
  ['stamps that differ', ['profile'], (alpha) => void (first(alpha.stamps, ({ field }) => field === 'email').stamp = stamp(101, 'alpha'))],
  ['a profile field that no last writer gave', ['lost effect'], (alpha, beta) => {
    for (const house of [alpha, beta]) (house.guides[0] as { phone: string }).phone = '3';
  }],
  ['an earlier writer who won', ['lost effect'], (alpha, beta) => {
    for (const house of [alpha, beta]) {
      (house.guides[0] as { phone: string }).phone = '0';
      first(house.stamps, ({ field }) => field === 'phone').stamp = stamp(400, 'alpha');
    }
  }],
  ['a guide verified in two houses at once', ['claim', 'double booking', 'lost effect', 'replica'], (alpha) => {
    Object.assign(first(alpha.assignments, ({ id }) => id === 'x1'), { start: hour(12), end: hour(13) });
  }],
  ['a guide twice at once in one house', ['claim', 'double booking', 'lost effect', 'replica'], (alpha) => {
    Object.assign(first(alpha.assignments, ({ id }) => id === 'k1'), { start: hour(10), end: hour(11), verification: 'CONFLICT' });
  }],
  ['an assignment nobody decided on', ['claim'], (alpha) => {
    first(alpha.assignments, ({ id }) => id === 'x1').verification = 'PENDING';
    without(alpha.claims, ({ id }) => id === 'x1');
  }],
  ['a claim that its holder denies', ['claim'], (alpha) => void alpha.claims.push(claim('y9', 'beta', 20, 21))],
  ['a claim of an older version', ['claim'], (alpha) => void (first(alpha.claims, ({ id }) => id === 'x1').version = 1)],
  ['claims kept in two houses', ['claim'], (alpha, beta) => {
    const moved = first(alpha.claims, ({ id }) => id === 'y1');
    without(alpha.claims, ({ id }) => id === 'y1');
    beta.claims.push({ ...moved, guideId: 'anna-b' });
  }],
  ['houses that name different keepers', ['claim'], (_alpha, beta) => void (first(beta.guides, ({ id }) => id === 'anna-b').keeper = 'beta')],
  ['a block that nobody made', ['duplicated effect'], (alpha) => void (first(alpha.assignments, ({ id }) => id === 'x3').kind = 'BLOCK')],
  ['a block that is lost', ['claim', 'lost effect', 'replica'], (alpha) => without(alpha.assignments, ({ id }) => id === 'k1')],
  ['a block that ended by itself', ['claim', 'lost effect', 'replica'], (alpha) => void (first(alpha.assignments, ({ id }) => id === 'k1').ended = true)],
  ['a block that was changed by nobody', ['duplicated effect', 'lost effect', 'replica'], (alpha) => void (first(alpha.assignments, ({ id }) => id === 'k1').version = 3)],
  ['a block at another time than its last change gave it before it had another title', ['claim', 'lost effect', 'replica'], (alpha) => {
    Object.assign(first(alpha.assignments, ({ id }) => id === 'k1'), { version: 2, start: hour(16), end: hour(17) });
  }],
  ['a block made twice', ['claim', 'duplicated effect', 'replica'], (alpha) => void alpha.assignments.push(assignment('k2', 'anna-a', null, 17, 18, { kind: 'BLOCK', note: 'mk' }))],
  ['a conflict with nothing', ['claim'], (alpha) => {
    first(alpha.assignments, ({ id }) => id === 'k1').verification = 'CONFLICT';
    without(alpha.claims, ({ id }) => id === 'k1');
  }],
  ['a rule that differs', ['rule'], (alpha) => void (first(alpha.rules, () => true).rest = '["x"]')],
  ['a rule that one house has deleted', ['rule'], (_alpha, beta) => void (first(beta.rules, () => true).deleted = true)],
  ['a rule that is lost', ['lost effect'], (alpha, beta) => {
    for (const house of [alpha, beta]) without(house.rules, ({ id }) => id === 'r1');
  }],
  ['a rule as an earlier writer left it', ['lost effect'], (alpha, beta) => {
    for (const house of [alpha, beta]) Object.assign(first(house.rules, () => true), { startTime: '08:00', validFrom: '2031-05-01', stamp: stamp(200, 'alpha') });
  }],
  ['a rule that nobody made', ['duplicated effect'], (alpha, beta) => {
    alpha.rules.push({ ...first(alpha.rules, () => true), id: 'r2' });
    beta.rules.push({ ...first(beta.rules, () => true), id: 'r2' });
  }],
  ['holidays of before', ['lost effect'], (alpha, beta) => {
    alpha.holidays = [];
    for (const row of [...alpha.rules, ...beta.rules]) row.holidays = '';
  }],
  ['a rule that carries other holidays', ['rule'], (_alpha, beta) => void (first(beta.rules, () => true).holidays = '2031-05-02')],
  ['an absence that is lost', ['lost effect'], (alpha) => without(alpha.entries, ({ id }) => id === 'e1')],
  ['an absence that was removed', ['lost effect'], (alpha) => void alpha.entries.push({ id: 'e2', guideId: 'anna-a' })],
  ['an individual entry that travelled', ['leak'], (alpha, beta) => void beta.entries.push({ ...first(alpha.entries, () => true), guideId: 'anna-b' })],
])('finds %s', (_name, checks, plant) => {
  expect(found(plant)).toEqual(checks);
});

test('a double booking counts only if both were there at one moment', () => {
  const before = sound().snapshots;
  const after = sound().snapshots;
  const moved = first((after['alpha'] as Snapshot).assignments, ({ id }) => id === 'x1');
  Object.assign(moved, { start: hour(12), end: hour(13) });
  // In the same version before and after: it was there while beta was read.
  expect(checkDoubleBookings(world, steady(before, after))).toHaveLength(1);
  // Made while the houses were read one after the other: beta may have ended its own meanwhile.
  moved.version += 1;
  expect(checkDoubleBookings(world, steady(before as Snapshots, after))).toEqual([]);
});

describe('texts in answers', () => {
  let count = 0;
  const traces = new Traces(() => (count += 7) % 36);
  const secret = traces.plant('beta', 'private', 'customer name');
  const title = traces.plant('beta', 'title', 'offer title');
  const phone = traces.plant('beta', 'profile', 'phone', 'anna');
  const answer = (text: string, role: 'STAFF' | 'GUIDE', person?: string): Finding[] => leaksInAnswer(text, { house: 'alpha', role, ...(person !== undefined && { person }) }, world, traces);

  test.each<[string, string, number, 'STAFF' | 'GUIDE', string | undefined]>([
    ['another house’s customer, to its guide', secret, 1, 'GUIDE', 'anna'],
    ['another house’s customer, wrapped in a cursor', Buffer.from(`["x","${secret}"]`).toString('base64url'), 1, 'STAFF', undefined],
    ['a foreign title, to staff', title, 1, 'STAFF', undefined],
    ['a foreign title, to a guide who is not coupled there', title, 1, 'GUIDE', 'hanno'],
    ['a foreign title, to the guide', title, 0, 'GUIDE', 'anna'],
    ['a guide’s profile, to staff of a house that couples him', phone, 0, 'STAFF', undefined],
    ['a guide’s profile, to himself', phone, 0, 'GUIDE', 'anna'],
    ['a guide’s profile, to another guide', phone, 1, 'GUIDE', 'hanno'],
  ])('%s', (_name, text, findings, role, person) => {
    expect(answer(`{"data":{"a":"${text}"},"since":"${MINTED}"}`, role, person)).toHaveLength(findings);
  });
});
