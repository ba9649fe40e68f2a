import type { Random } from '../../../../scripts/demo/random.js';
import type { BookingEffect, BookingFacts, BookingOp } from '../../checker/index.js';
import type { Account } from '../caller.js';
import { type Action, type Known, pickKnown, type Scene } from './scene.js';

const FACTS = 'id version state start end offer { id } assignments { id start end guide { id } }';
const ERROR = '... on UserError { code }';
const document = (name: string, input: string): string => `mutation ($input: ${input}!) { ${name}(input: $input) { __typename ... on BookingPayload { booking { ${FACTS} } } ${ERROR} } }`;

const CREATE = document('createBooking', 'CreateBookingInput');
const REBOOK = document('rebookBooking', 'RebookBookingInput');
const ASSIGN = document('assignGuide', 'AssignGuideInput');
const RESET = document('resetAssignment', 'ResetAssignmentInput');
const CANCEL = document('cancelBooking', 'CancelBookingInput');
const DELETE = `mutation ($input: DeleteBookingInput!) { deleteBooking(input: $input) { __typename ... on DeleteBookingPayload { deletedBookingId } ${ERROR} } }`;
const READ = `query ($id: ID!) { booking(id: $id) { ${FACTS} } }`;

interface Answered {
  id: string;
  version: number;
  state: string;
  start: string;
  end: string;
  offer: { id: string };
  assignments: { id: string; start: string; end: string; guide: { id: string } }[];
}

const moment = (text: string): string => new Date(text).toISOString();

const factsOf = ({ offer, assignments, start, end, ...rest }: Answered): BookingFacts => ({
  ...rest,
  start: moment(start),
  end: moment(end),
  offerId: offer.id,
  assignments: assignments.map(({ guide, ...of }) => ({ id: of.id, guideId: guide.id, start: moment(of.start), end: moment(of.end) })),
});

const SLOT_MS = 15 * 60_000;
/** Somebody else has the record open as often as this. */
const REGARDLESS = 0.05;

function customer(scene: Scene, house: string): Record<string, string> {
  const plant = (field: string) => scene.traces.plant(house, 'private', field);
  return { name: `C${plant('customer name')}`, email: `${plant('customer address')}@post.example`, phone: `+49 ${plant('customer telephone')}` };
}

const someGuides = (scene: Scene, random: Random, house: string): string[] => {
  const guides = scene.guideIds(house);
  const count = random.pick([0, 1, 1, 1, 1, 2]);
  return [...new Set(Array.from({ length: count }, () => random.pick(guides)))];
};

export const createBooking: Action = async (scene, random, house) => {
  const book = scene.book(house);
  const time = scene.interval(random);
  const guideIds = someGuides(scene, random, house);
  const offerId = random.pick(book.offers).id;
  const mark = scene.traces.plant(house, 'private', 'booking notes');
  const input = { idempotencyKey: random.uuid(), offerId, time, customer: customer(scene, house), partySize: random.between(1, 30), language: 'de', notes: mark, guideIds };
  const { base, payload } = await scene.change<{ booking: Answered }>(random, scene.staff(random, house), CREATE, input);
  const answer = payload && factsOf(payload.booking);
  scene.recorder.add({ ...base, subject: 'booking', action: 'create', mark, effect: { ...time, state: 'BOOKED', offerId, guideIds }, ...(answer && { answer }) });
  if (answer) book.bookings.set(answer.id, { mark, facts: answer, busy: false, doubtful: false, changedAt: Date.now() });
};

interface Plan {
  readonly action: Exclude<BookingOp['action'], 'create'>;
  readonly document: string;
  readonly input: Record<string, unknown>;
  readonly effect: BookingEffect;
}

/** A booking that is there and that nobody is at, as it is now; undefined when there is none such. */
export async function choose(scene: Scene, random: Random, house: string, fits: (facts: BookingFacts) => boolean, account: Account): Promise<Known<BookingFacts> | undefined> {
  const { bookings } = scene.book(house);
  const free = [...bookings.values()].filter(({ busy, facts }) => fits(facts) && (!busy || random.chance(REGARDLESS)));
  const known = pickKnown(random, free);
  if (!known?.doubtful) return known;
  known.busy = true;
  const reply = await scene.caller.ask(account, scene.via(random)(), READ, { id: known.facts.id });
  known.busy = false;
  if (reply.kind !== 'data') return undefined;
  const read = reply.data['booking'] as Answered | null;
  if (!read) {
    bookings.delete(known.facts.id);
    return undefined;
  }
  known.facts = factsOf(read);
  known.doubtful = false;
  return fits(known.facts) ? known : undefined;
}

async function carryOut(scene: Scene, random: Random, account: Account, known: Known<BookingFacts>, plan: Plan): Promise<void> {
  const { house } = account;
  const { id: bookingId, version: expectedVersion } = known.facts;
  known.busy = true;
  const input = { idempotencyKey: random.uuid(), expectedVersion, ...plan.input };
  const { base, outcome, payload } = await scene.change<{ booking?: Answered }>(random, account, plan.document, input);
  known.busy = false;
  known.changedAt = Date.now();
  const answer = payload?.booking && factsOf(payload.booking);
  scene.recorder.add({ ...base, subject: 'booking', action: plan.action, mark: known.mark, bookingId, expectedVersion, effect: plan.effect, ...(answer && { answer }) });
  if (answer && answer.version > known.facts.version) known.facts = answer;
  if (outcome.kind === 'ok' && plan.effect.gone) scene.book(house).bookings.delete(bookingId);
  if (outcome.kind === 'unknown' || (outcome.kind === 'refused' && ['STALE_VERSION', 'NOT_FOUND', 'INVALID_TRANSITION'].includes(outcome.code))) known.doubtful = true;
}

/** An action on a booking in force, as `plan` says; undefined from it means that it does not fit this one. */
const onBooking =
  (plan: (scene: Scene, random: Random, house: string, facts: BookingFacts) => Plan | undefined, fits: (facts: BookingFacts) => boolean = ({ state }) => state === 'BOOKED'): Action =>
  async (scene, random, house) => {
    const account = scene.staff(random, house);
    const known = await choose(scene, random, house, fits, account);
    const planned = known && plan(scene, random, house, known.facts);
    if (known && planned) await carryOut(scene, random, account, known, planned);
  };

export const moveBooking = onBooking((scene, random, _house, facts) => {
  const shift = random.between(1, 8) * SLOT_MS * random.pick([-1, 1]);
  const time = random.chance(0.5)
    ? scene.interval(random)
    : { start: new Date(Date.parse(facts.start) + shift).toISOString(), end: new Date(Date.parse(facts.end) + shift).toISOString() };
  return { action: 'rebook', document: REBOOK, input: { bookingId: facts.id, time }, effect: time };
});

export const swapGuides = onBooking((scene, random, house, facts) => {
  const guideIds = someGuides(scene, random, house);
  return { action: 'rebook', document: REBOOK, input: { bookingId: facts.id, guideIds }, effect: { guideIds } };
});

export const changeContent = onBooking((scene, random, house, facts) => {
  const offerId = random.pick(scene.book(house).offers).id;
  return { action: 'rebook', document: REBOOK, input: { bookingId: facts.id, offerId, partySize: random.between(1, 30), customer: customer(scene, house) }, effect: { offerId } };
});

export const assignGuide = onBooking((scene, random, house, facts) => {
  const guideId = random.pick(scene.guideIds(house));
  const slots = (Date.parse(facts.end) - Date.parse(facts.start)) / SLOT_MS;
  const first = random.between(0, slots - 1);
  const at = (slot: number) => new Date(Date.parse(facts.start) + slot * SLOT_MS).toISOString();
  const range = random.chance(0.5) ? { start: at(first), end: at(random.between(first + 1, slots)) } : undefined;
  return { action: 'assign', document: ASSIGN, input: { bookingId: facts.id, guideId, ...(range && { range }) }, effect: { withGuide: guideId } };
});

export const resetAssignment = onBooking(
  (_scene, random, _house, facts) => {
    const assignmentId = random.pick(facts.assignments).id;
    return { action: 'reset', document: RESET, input: { assignmentId }, effect: { withoutAssignment: assignmentId } };
  },
  ({ state, assignments }) => state === 'BOOKED' && assignments.length > 0,
);

export const cancelBooking = onBooking((scene, random, house, facts) => {
  const reason = scene.traces.plant(house, 'private', 'cancellation reason');
  return { action: 'cancel', document: CANCEL, input: { bookingId: facts.id, reason, origin: random.pick(['CUSTOMER', 'HOUSE']) }, effect: { state: 'CANCELLED', guideIds: [] } };
});

export const deleteBooking = onBooking(
  (_scene, _random, _house, facts) => ({ action: 'delete', document: DELETE, input: { bookingId: facts.id }, effect: { gone: true } }),
  () => true,
);
