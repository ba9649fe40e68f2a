import type { RequestContext } from '../../../platform/context.js';
import { notFound } from '../../../platform/errors/user-error.js';
import { once } from '../../../platform/idempotency.js';
import { isUuid } from '../../../platform/validation.js';
import type { DeleteBookingInput } from '../booking.input.js';
import { type CommandDependencies, lockForChange } from './shared.js';

/** The record goes, and its customer's data with it; ended assignments stay without them, so that linked houses learn of the end. */
export function deleteBooking(deps: CommandDependencies, ctx: RequestContext, input: DeleteBookingInput): Promise<string> {
  const { idempotencyKey, ...rest } = input;
  if (!isUuid(input.bookingId)) throw notFound('input.bookingId');
  return deps.database.app.transaction(async (tx) => {
    await once(ctx, tx, 'deleteBooking', idempotencyKey, rest, async () => {
      const { booking, assignments } = await lockForChange(ctx, tx, {
        bookingId: input.bookingId,
        field: 'input.bookingId',
        action: 'delete',
        expectedVersion: input.expectedVersion,
      });
      for (const assignment of assignments) await deps.assignments.end(ctx, tx, assignment, 'deleted');
      await tx.deleteFrom('booking').where('id', '=', booking.id).execute();
      await tx.deleteFrom('customer').where('id', '=', booking.customerId).execute();
      await deps.audit.recordFor(ctx, tx, {
        action: 'booking.deleted',
        subjectType: 'booking',
        subjectId: booking.id,
        before: { offerId: booking.offerId, start: booking.start, end: booking.end, state: booking.state },
      });
      return {};
    });
    return input.bookingId;
  });
}
