import type { RequestContext } from '../../../platform/context.js';
import { InputReason, invalidInput, notFound } from '../../../platform/errors/user-error.js';
import { once } from '../../../platform/idempotency.js';
import { checkRange } from '../../../platform/time.js';
import { isUuid } from '../../../platform/validation.js';
import type { AssignGuideInput } from '../booking.input.js';
import type { Booking } from '../booking.type.js';
import { bumpVersion, type CommandDependencies, lockForChange, reread } from './shared.js';

/** A guide takes all of a booking or part of it. */
export function assignGuide(deps: CommandDependencies, ctx: RequestContext, input: AssignGuideInput): Promise<Booking> {
  const { idempotencyKey, ...rest } = input;
  if (!isUuid(input.bookingId)) throw notFound('input.bookingId');
  if (!isUuid(input.guideId)) throw notFound('input.guideId');
  const part = input.range ? checkRange(input.range, 'input.range') : undefined;
  return deps.database.app.transaction(async (tx) => {
    await once(ctx, tx, 'assignGuide', idempotencyKey, rest, async () => {
      const { booking } = await lockForChange(ctx, tx, {
        bookingId: input.bookingId,
        field: 'input.bookingId',
        action: 'assign',
        expectedVersion: input.expectedVersion,
        moreGuideIds: [input.guideId],
        guideField: 'input.guideId',
      });
      const range = part ?? { start: booking.start, end: booking.end };
      if (range.start < booking.start || range.end > booking.end) {
        throw invalidInput('input.range', InputReason.OUT_OF_RANGE, 'The part must lie within the booking.');
      }
      await deps.assignments.make(ctx, tx, booking.id, input.guideId, range);
      await bumpVersion(tx, booking.id, ctx.now());
      return {};
    });
    return reread(ctx, tx, input.bookingId, 'input.bookingId');
  });
}
