import { newId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Tx } from '../../platform/database/database.js';
import { isViolationOf } from '../../platform/database/errors.js';
import { Refusal } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import type { TimeRange } from '../../platform/time.js';
import type { AuditService } from '../audit/index.js';
import type { ClaimGate } from './claim-gate.js';
import { bookingRepository as repository, type LivingAssignment } from './booking.repository.js';
import { GuideUnavailableError } from './booking.type.js';

/** He is taken in this house, in another that told us, or by a claim that was verified before: which of them is nobody's business. */
const TAKEN = ['guide_assignment_no_overlap', 'guide_assignment_no_foreign_overlap', 'claim_no_overlap'];

/** Turns the database's refusal into the typed conflict; whatever else went wrong passes. */
async function guarded<T>(guideId: string, range: TimeRange, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (TAKEN.some((constraint) => isViolationOf(error, constraint))) throw new Refusal(new GuideUnavailableError(guideId, range.start, range.end));
    throw error;
  }
}

/**
 * Responsible for the only three things that happen to an assignment: it is made, moved, ended. Each is logged and told to calendars
 * in the same transaction. Callers hold the guide's row lock.
 */
export class AssignmentService {
  constructor(
    private readonly audit: AuditService,
    private readonly claims: ClaimGate,
  ) {}

  /** Without a booking it is a block, which may have a note; the action log does not repeat that. */
  async make(ctx: RequestContext, tx: Tx, bookingId: string | null, guideId: string, range: TimeRange, blockNote: string | null = null): Promise<string> {
    const assignment: LivingAssignment = { id: newId(), guideId, bookingId, start: range.start, end: range.end };
    await this.claims.announce(ctx, guideId, assignment.id);
    const claim = await guarded(guideId, range, () => repository.insertAssignment(tx, assignment, blockNote));
    await this.audit.recordFor(ctx, tx, {
      action: 'assignment.created',
      subjectType: 'assignment',
      subjectId: assignment.id,
      after: { bookingId, guideId, start: range.start, end: range.end },
    });
    await publish(tx, { kind: 'calendar', guideId, assignmentId: assignment.id, change: 'CREATED' });
    await this.claims.assigned(ctx, tx, { ...assignment, ...claim });
    return assignment.id;
  }

  async move(ctx: RequestContext, tx: Tx, assignment: LivingAssignment, range: TimeRange): Promise<void> {
    await this.claims.announce(ctx, assignment.guideId, assignment.id);
    const claim = await guarded(assignment.guideId, range, () => repository.moveAssignment(tx, assignment.id, range));
    await this.audit.recordFor(ctx, tx, {
      action: 'assignment.moved',
      subjectType: 'assignment',
      subjectId: assignment.id,
      before: { start: assignment.start, end: assignment.end },
      after: { start: range.start, end: range.end },
    });
    await publish(tx, { kind: 'calendar', guideId: assignment.guideId, assignmentId: assignment.id, change: 'UPDATED' });
    await this.claims.assigned(ctx, tx, { ...assignment, ...range, ...claim });
  }

  /** The interval stays, the content shown in calendars (offer, customer, notes, the note of a block) is another. */
  async touch(tx: Tx, assignment: LivingAssignment): Promise<void> {
    await repository.moveAssignment(tx, assignment.id, assignment);
    await publish(tx, { kind: 'calendar', guideId: assignment.guideId, assignmentId: assignment.id, change: 'UPDATED' });
  }

  async end(ctx: RequestContext, tx: Tx, assignment: LivingAssignment, reason: 'reset' | 'swapped' | 'cancelled' | 'deleted' | 'unblocked'): Promise<void> {
    await repository.endAssignment(tx, assignment.id, ctx.now());
    await this.audit.recordFor(ctx, tx, {
      action: 'assignment.ended',
      subjectType: 'assignment',
      subjectId: assignment.id,
      before: { bookingId: assignment.bookingId, guideId: assignment.guideId, start: assignment.start, end: assignment.end },
      after: { reason },
    });
    await publish(tx, { kind: 'calendar', guideId: assignment.guideId, assignmentId: assignment.id, change: 'REMOVED' });
  }
}
