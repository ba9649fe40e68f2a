import type { RequestContext } from '../../../platform/context.js';
import { notFound } from '../../../platform/errors/user-error.js';
import { once } from '../../../platform/idempotency.js';
import { checkText, isUuid } from '../../../platform/validation.js';
import type { CancelBookingInput } from '../booking.input.js';
import { type Booking, BookingState } from '../booking.type.js';
import { type CommandDependencies, lockForChange, reread } from './shared.js';

/** A booking ends with reason and origin; its guides are free again, its history is kept. */
export function cancelBooking(deps: CommandDependencies, ctx: RequestContext, input: CancelBookingInput): Promise<Booking> {
  const { idempotencyKey, ...rest } = input;
  if (!isUuid(input.bookingId)) throw notFound('input.bookingId');
  const reason = checkText(input.reason, 'input.reason', { max: 1_000 });
  return deps.database.app.transaction(async (tx) => {
    await once(ctx, tx, 'cancelBooking', idempotencyKey, rest, async () => {
      const { booking, assignments } = await lockForChange(ctx, tx, {
        bookingId: input.bookingId,
        field: 'input.bookingId',
        action: 'cancel',
        expectedVersion: input.expectedVersion,
      });
      for (const assignment of assignments) await deps.assignments.end(ctx, tx, assignment, 'cancelled');
      await tx
        .updateTable('booking')
        .set((eb) => ({
          state: BookingState.CANCELLED,
          cancel_reason: reason,
          cancel_origin: input.origin,
          cancelled_at: ctx.now(),
          updated_at: ctx.now(),
          version: eb('version', '+', 1),
        }))
        .where('id', '=', booking.id)
        .execute();
      await deps.audit.recordFor(ctx, tx, {
        action: 'booking.cancelled',
        subjectType: 'booking',
        subjectId: booking.id,
        before: { state: booking.state },
        after: { state: BookingState.CANCELLED, origin: input.origin },
      });
      return {};
    });
    return reread(ctx, tx, input.bookingId, 'input.bookingId');
  });
}
