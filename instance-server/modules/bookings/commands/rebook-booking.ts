import type { RequestContext } from '../../../platform/context.js';
import type { Tx } from '../../../platform/database/database.js';
import { InputReason, invalidInput, notFound } from '../../../platform/errors/user-error.js';
import type { TimeRange } from '../../../platform/time.js';
import { once } from '../../../platform/idempotency.js';
import { isUuid } from '../../../platform/validation.js';
import type { RebookBookingInput } from '../booking.input.js';
import type { LivingAssignment, LockedBooking } from '../booking.repository.js';
import { checkCustomer, checkDetails, resolveTime } from '../booking.rules.js';
import type { Booking } from '../booking.type.js';
import { checkGuideIds, type CommandDependencies, lockForChange, reread } from './shared.js';

const isWhole = (assignment: TimeRange, booking: TimeRange): boolean =>
  assignment.start.getTime() === booking.start.getTime() && assignment.end.getTime() === booking.end.getTime();

/**
 * Time, offer, guides or details become others. Guides of the whole booking move with it; one who covers a part keeps his part, which
 * must lie within the new time. A guide swap is an end for the old guide and a start for the new one.
 */
export function rebookBooking(deps: CommandDependencies, ctx: RequestContext, input: RebookBookingInput): Promise<Booking> {
  if (!isUuid(input.bookingId)) throw notFound('input.bookingId');
  if (input.offerId && !isUuid(input.offerId)) throw notFound('input.offerId');
  const guideIds = input.guideIds ? checkGuideIds(input.guideIds, 'input.guideIds') : undefined;
  const customer = input.customer ? checkCustomer(input.customer) : undefined;
  const details = checkDetails(input);
  const { idempotencyKey, ...rest } = input;
  return deps.database.app.transaction(async (tx) => {
    await once(ctx, tx, 'rebookBooking', idempotencyKey, rest, async () => {
      await rebook(deps, ctx, tx, { input, guideIds, customer, details });
      return {};
    });
    return reread(ctx, tx, input.bookingId, 'input.bookingId');
  });
}

interface CheckedInput {
  input: RebookBookingInput;
  guideIds: string[] | undefined;
  customer: ReturnType<typeof checkCustomer> | undefined;
  details: ReturnType<typeof checkDetails>;
}

async function rebook(deps: CommandDependencies, ctx: RequestContext, tx: Tx, { input, guideIds, customer, details }: CheckedInput): Promise<void> {
  const { booking, assignments } = await lockForChange(ctx, tx, {
    bookingId: input.bookingId,
    field: 'input.bookingId',
    action: 'rebook',
    expectedVersion: input.expectedVersion,
    moreGuideIds: guideIds,
  });
  const offerId = await chosenOffer(tx, input, booking);
  const range = input.time
    ? resolveTime(input.time, deps.settings.current.timeZone, booking.end.getTime() - booking.start.getTime())
    : { start: booking.start, end: booking.end };
  const contentChanged = offerId !== booking.offerId || Boolean(customer) || Object.keys(details).length > 0;
  await applyToAssignments(deps, ctx, tx, { booking, assignments, range, guideIds, contentChanged });
  if (customer) await tx.updateTable('customer').set(customer).where('id', '=', booking.customerId).execute();
  await tx
    .updateTable('booking')
    .set((eb) => ({ ...details, offer_id: offerId, start_at: range.start, end_at: range.end, version: eb('version', '+', 1), updated_at: ctx.now() }))
    .where('id', '=', booking.id)
    .execute();
  await deps.audit.recordFor(ctx, tx, {
    action: 'booking.rebooked',
    subjectType: 'booking',
    subjectId: booking.id,
    before: { offerId: booking.offerId, start: booking.start, end: booking.end },
    after: { offerId, start: range.start, end: range.end, changed: [...Object.keys(details), ...(customer ? ['customer'] : []), ...(guideIds ? ['guides'] : [])] },
  });
}

async function chosenOffer(tx: Tx, input: RebookBookingInput, booking: LockedBooking): Promise<string> {
  if (!input.offerId || input.offerId === booking.offerId) return booking.offerId;
  const offer = await tx.selectFrom('offer').select('active').where('id', '=', input.offerId).executeTakeFirst();
  if (!offer) throw notFound('input.offerId');
  if (!offer.active) throw invalidInput('input.offerId', InputReason.CONFLICTING, 'This offer cannot be booked at present.');
  return input.offerId;
}

interface Change {
  booking: LockedBooking;
  assignments: LivingAssignment[];
  range: TimeRange;
  guideIds: string[] | undefined;
  contentChanged: boolean;
}

async function applyToAssignments(deps: CommandDependencies, ctx: RequestContext, tx: Tx, change: Change): Promise<void> {
  const { booking, assignments, range, guideIds, contentChanged } = change;
  const staying: LivingAssignment[] = [];
  for (const assignment of assignments) {
    if (guideIds && !guideIds.includes(assignment.guideId)) await deps.assignments.end(ctx, tx, assignment, 'swapped');
    else staying.push(assignment);
  }
  const moved = !isWhole(range, booking);
  for (const assignment of staying) {
    if (moved && isWhole(assignment, booking)) await deps.assignments.move(ctx, tx, assignment, range);
    else if (assignment.start < range.start || assignment.end > range.end) {
      throw invalidInput('input.time', InputReason.CONFLICTING, 'A guide covers a part of the booking that would lie outside it; reset that assignment first.');
    } else if (contentChanged) await deps.assignments.touch(tx, assignment);
  }
  for (const guideId of guideIds ?? []) {
    if (!staying.some((assignment) => assignment.guideId === guideId)) await deps.assignments.make(ctx, tx, booking.id, guideId, range);
  }
}
