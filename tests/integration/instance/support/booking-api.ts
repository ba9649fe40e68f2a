import type { GraphqlClient } from '../../../testkit/client.js';
import { newKey } from './house.js';

export interface BookingView {
  id: string;
  start: string;
  end: string;
  state: string;
  version: number;
  partySize: number | null;
  language: string | null;
  notes: string | null;
  guideDemand: number;
  cancellationReason: string | null;
  cancellationOrigin: string | null;
  cancelledAt: string | null;
  offer: { id: string };
  customer: { name: string; email: string | null; phone: string | null };
  assignments: { id: string; start: string; end: string; guide: { id: string } }[];
}

export interface Outcome {
  __typename: string;
  booking?: BookingView;
  deletedBookingId?: string;
  code?: string;
  message?: string;
  field?: string;
  reason?: string;
  guideId?: string;
  start?: string;
  end?: string;
  currentVersion?: number;
  state?: string;
}

export const BOOKING_FIELDS = `id start end state version partySize language notes guideDemand cancellationReason cancellationOrigin cancelledAt
  offer { id } customer { name email phone } assignments { id start end guide { id } }`;

/** What each mutation can answer with; every member of its union with all its facts. */
const MUTATIONS = {
  createBooking: ['CreateBookingInput', 'booking', 'unavailable', 'notFound', 'input'],
  rebookBooking: ['RebookBookingInput', 'booking', 'unavailable', 'notFound', 'input', 'stale', 'transition'],
  assignGuide: ['AssignGuideInput', 'booking', 'unavailable', 'notFound', 'input', 'stale', 'transition'],
  resetAssignment: ['ResetAssignmentInput', 'booking', 'notFound', 'input', 'stale', 'transition'],
  cancelBooking: ['CancelBookingInput', 'booking', 'notFound', 'input', 'stale', 'transition'],
  deleteBooking: ['DeleteBookingInput', 'deleted', 'notFound', 'input', 'stale', 'transition'],
} as const;
export type BookingMutation = keyof typeof MUTATIONS;

const MEMBERS: Record<string, string> = {
  booking: `... on BookingPayload { booking { ${BOOKING_FIELDS} } }`,
  deleted: '... on DeleteBookingPayload { deletedBookingId }',
  unavailable: '... on GuideUnavailableError { guideId start end }',
  notFound: '... on NotFoundError { field }',
  input: '... on InvalidInputError { field reason }',
  stale: '... on StaleVersionError { currentVersion }',
  transition: '... on InvalidTransitionError { state }',
};

export function bookingDocument(mutation: BookingMutation): string {
  const [type, ...members] = MUTATIONS[mutation];
  return `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on UserError { code } ${members.map((member) => MEMBERS[member]).join(' ')} } }`;
}

/** Calls a booking mutation with a key of its own unless one is given. @throws when the answer is an error rather than an outcome */
export async function change(api: GraphqlClient, token: string, mutation: BookingMutation, input: Record<string, unknown>): Promise<Outcome> {
  const answer = await api.query<Record<string, Outcome>>(bookingDocument(mutation), { input: { idempotencyKey: newKey(), ...input } }, token);
  const outcome = answer.data?.[mutation];
  if (!outcome) throw new Error(`${mutation}: ${answer.text}`);
  return outcome;
}

/** The booking of a successful change. @throws when it was refused */
export function bookingOf(outcome: Outcome): BookingView {
  if (!outcome.booking) throw new Error(`refused: ${JSON.stringify(outcome)}`);
  return outcome.booking;
}
