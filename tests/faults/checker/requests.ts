import type { BookingOp, Finding, Op, RequestOp } from './history.js';
import type { Snapshots } from './replicas.js';
import type { AssignmentRow, BookingRow, RequestRow, Snapshot } from './snapshot.js';

const isOk = (op: Op): boolean => op.outcome.kind === 'ok';
const mayHaveHappened = (op: Op): boolean => op.outcome.kind !== 'refused';

/** What a request is once this has been done with it. */
const AFTER = { accept: 'ACCEPTED', decline: 'DECLINED', withdraw: 'WITHDRAWN BY_STAFF' } as const;
const BY_HAND: readonly string[] = Object.values(AFTER);

const stateOf = ({ state, withdrawal }: RequestRow): string => (state === 'WITHDRAWN' ? `WITHDRAWN ${withdrawal}` : state);

interface Interval {
  readonly start: string;
  readonly end: string;
}

const overlap = (one: Interval, other: Interval): boolean => one.start < other.end && other.start < one.end;

/** One booking with what was asked for it. */
interface Asked {
  readonly booking: BookingRow;
  readonly rows: readonly RequestRow[];
  /** All it ever had. */
  readonly assignments: readonly AssignmentRow[];
  readonly requests: readonly RequestOp[];
  readonly changes: readonly BookingOp[];
}

type Say = (check: string, detail: string) => void;

/** Closed once, as whoever closed it was told, and by nobody else. */
function checkState(row: RequestRow, { requests }: Asked, say: Say): void {
  const closing = requests.filter((op): op is RequestOp & { action: keyof typeof AFTER } => op.action !== 'ask' && op.requestIds.includes(row.id));
  const ok = closing.filter(isOk);
  if (ok.length > 1) say('duplicated effect', `was closed by changes ${ok.map(({ n }) => n).join(', ')}`);
  const [closed] = ok;
  const state = stateOf(row);
  if (closed && AFTER[closed.action] !== state) say('lost effect', `is ${state}, change ${closed.n} (${closed.action}) was answered with ok`);
  if (BY_HAND.includes(state) && !closing.some((op) => mayHaveHappened(op) && AFTER[op.action] === state)) say('duplicated effect', `is ${state} by nobody`);
}

/** What is still asked for is still to be had. */
function checkOpen(row: RequestRow, { booking, assignments }: Asked, say: Say): void {
  if (row.state !== 'OPEN') return;
  const leading = assignments.filter((assignment) => !assignment.ended && overlap(assignment, row));
  if (booking.state !== 'BOOKED') say('request', `is open, its booking is ${booking.state}`);
  if (row.offerId !== booking.offerId || row.start < booking.start || row.end > booking.end) say('request', 'is open, its booking has become another');
  if (leading.some(({ guideId }) => guideId === row.guideId)) say('request', 'is open, its guide leads the booking already');
  if (leading.length >= booking.guideDemand) say('request', `is open, its booking has the ${booking.guideDemand} guides it needs`);
}

/** Who accepted leads it, or did until somebody undid it. */
function checkAccepted(row: RequestRow, { assignments, changes }: Asked, say: Say): void {
  if (row.state !== 'ACCEPTED') return;
  const his = assignments.filter(({ guideId }) => guideId === row.guideId);
  if (his.length === 0) say('lost effect', 'was accepted, and its guide never assigned');
  else if (his.every(({ ended }) => ended)) {
    const ids = new Set(his.map(({ id }) => id));
    const undone = changes.some(
      ({ effect }) => effect.state === 'CANCELLED' || ids.has(effect.withoutAssignment ?? '') || (effect.guideIds !== undefined && !effect.guideIds.includes(row.guideId)),
    );
    if (!undone) say('lost effect', 'was accepted, and its guide’s assignment ended by nobody');
  }
}

/** Of those who lead it because they accepted, never more at once than it needs. Staff may assign more, and time may move: who was named by staff, or moved, is not counted. */
function checkDemand({ booking, rows, assignments, changes }: Asked, say: Say): void {
  const byStaff = new Set(changes.flatMap(({ effect }) => [...(effect.guideIds ?? []), ...(effect.withGuide === undefined ? [] : [effect.withGuide])]));
  const accepted = rows.filter(({ state, guideId }) => state === 'ACCEPTED' && !byStaff.has(guideId));
  const placed = assignments.filter((assignment) => !assignment.ended && accepted.some(({ guideId, start, end }) => assignment.guideId === guideId && assignment.start === start && assignment.end === end));
  const most = Math.max(0, ...placed.map(({ start }) => placed.filter((other) => other.start <= start && other.end > start).length));
  if (most > booking.guideDemand) say('request', `${most} guides were assigned who accepted, ${booking.guideDemand} are needed`);
}

function checkBooking(asked: Asked, house: string): Finding[] {
  const { booking, rows, requests } = asked;
  const findings: Finding[] = [];
  const sayOf = (what: string): Say => (check, detail) => void findings.push({ check, house, detail: `${what} ${detail}` });
  for (const row of rows) {
    const say = sayOf(`request ${row.id}`);
    checkState(row, asked, say);
    checkOpen(row, asked, say);
    checkAccepted(row, asked, say);
  }
  const say = sayOf(`booking ${booking.id}:`);
  checkDemand(asked, say);
  const asks = requests.filter((op) => op.action === 'ask' && mayHaveHappened(op));
  for (const [guideId, own] of Map.groupBy(rows, (row) => row.guideId)) {
    const times = asks.filter(({ guideIds }) => guideIds.includes(guideId)).length;
    if (own.length > times) say('duplicated effect', `guide ${guideId} was asked ${own.length} times, ${times} times at the most by somebody`);
  }
  const ids = new Set(rows.map(({ id }) => id));
  for (const { n, requestIds } of requests.filter(isOk)) {
    for (const id of requestIds) if (!ids.has(id)) say('lost effect', `request ${id} of change ${n} is not there`);
  }
  return findings;
}

function askedOf(snapshot: Snapshot, history: readonly Op[]): Asked[] {
  const requests = Map.groupBy(history.filter((op): op is RequestOp => op.subject === 'request' && op.house === snapshot.code), ({ mark }) => mark);
  const changes = Map.groupBy(history.filter((op): op is BookingOp => op.subject === 'booking' && op.house === snapshot.code && mayHaveHappened(op)), ({ mark }) => mark);
  const rows = Map.groupBy(snapshot.requests, ({ bookingId }) => bookingId);
  const assignments = Map.groupBy(snapshot.assignments, ({ bookingId }) => bookingId);
  return snapshot.bookings.map((booking) => ({
    booking,
    rows: rows.get(booking.id) ?? [],
    assignments: assignments.get(booking.id) ?? [],
    requests: requests.get(booking.notes ?? '') ?? [],
    changes: changes.get(booking.notes ?? '') ?? [],
  }));
}

/** Requests to guides, which go with their booking: asked once, closed once, and whoever accepted first was assigned, up to the demand. */
export function checkRequests(history: readonly Op[], snapshots: Snapshots): Finding[] {
  return Object.values(snapshots).flatMap((snapshot) => askedOf(snapshot, history).flatMap((asked) => checkBooking(asked, snapshot.code)));
}
