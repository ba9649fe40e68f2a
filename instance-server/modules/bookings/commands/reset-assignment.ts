import type { RequestContext } from '../../../platform/context.js';
import { notFound } from '../../../platform/errors/user-error.js';
import { once } from '../../../platform/idempotency.js';
import { isUuid } from '../../../platform/validation.js';
import type { ResetAssignmentInput } from '../booking.input.js';
import { bookingRepository as repository } from '../booking.repository.js';
import type { Booking } from '../booking.type.js';
import { bumpVersion, type CommandDependencies, lockForChange, reread } from './shared.js';

/** An assignment is undone; the booking lives on and needs a guide again. */
export function resetAssignment(deps: CommandDependencies, ctx: RequestContext, input: ResetAssignmentInput): Promise<Booking> {
  const { idempotencyKey, ...rest } = input;
  if (!isUuid(input.assignmentId)) throw notFound('input.assignmentId');
  return deps.database.app.transaction(async (tx) => {
    const { outcome } = await once(ctx, tx, 'resetAssignment', idempotencyKey, rest, async () => {
      const [target] = await repository.livingAssignments(tx, { assignmentId: input.assignmentId });
      if (!target) throw notFound('input.assignmentId');
      const { booking, assignments } = await lockForChange(ctx, tx, {
        bookingId: target.bookingId,
        field: 'input.assignmentId',
        action: 'reset',
        expectedVersion: input.expectedVersion,
      });
      const assignment = assignments.find((candidate) => candidate.id === input.assignmentId);
      if (!assignment) throw notFound('input.assignmentId');
      await deps.assignments.end(ctx, tx, assignment, 'reset');
      await bumpVersion(tx, booking.id, ctx.now());
      return { bookingId: booking.id };
    });
    return reread(ctx, tx, outcome.bookingId, 'input.assignmentId');
  });
}
