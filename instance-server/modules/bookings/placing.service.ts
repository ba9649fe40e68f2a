import type { RequestContext } from '../../platform/context.js';
import type { Tx } from '../../platform/database/database.js';
import { notFound } from '../../platform/errors/user-error.js';
import type { TimeRange } from '../../platform/time.js';
import type { AssignmentService } from './assignment.service.js';
import { bookingRepository as repository, type LivingAssignment, type LockedBooking } from './booking.repository.js';
import { checkChange } from './booking.rules.js';
import { bumpVersion } from './commands/shared.js';

/** A booking under lock, with who leads it. */
export interface OpenBooking {
  booking: LockedBooking;
  assignments: LivingAssignment[];
  /** Which of the guides asked about lead tours at present. */
  activeGuideIds: ReadonlySet<string>;
}

/**
 * Responsible for guides who come to a booking by another way than staff's own hand. Other modules decide who may and has agreed;
 * what happens to booking and assignment is the same as always.
 */
export class PlacingService {
  constructor(private readonly assignments: AssignmentService) {}

  /**
   * Locks guides, then the booking. Whether the viewer may reach the booking is the caller's to decide.
   * @throws Refusal NOT_FOUND at `field`; INVALID_TRANSITION when the booking takes no guides; STALE_VERSION where a version is expected.
   */
  async lock(tx: Tx, target: { bookingId: string; guideIds: readonly string[]; field: string; expectedVersion?: number }): Promise<OpenBooking> {
    const known = await repository.lockGuides(tx, target.guideIds);
    const booking = await repository.lock(tx, { kind: 'ALL' }, target.bookingId);
    if (!booking) throw notFound(target.field);
    checkChange(booking, 'assign', target.expectedVersion ?? booking.version);
    return {
      booking,
      assignments: await repository.livingAssignments(tx, { bookingId: booking.id }),
      activeGuideIds: new Set(target.guideIds.filter((id) => known.get(id)?.active)),
    };
  }

  /** Assigns him. The caller holds the locks of {@link lock}. @throws Refusal GUIDE_UNAVAILABLE */
  async place(ctx: RequestContext, tx: Tx, bookingId: string, guideId: string, range: TimeRange): Promise<void> {
    await this.assignments.make(ctx, tx, bookingId, guideId, range);
    await bumpVersion(tx, bookingId, ctx.now());
  }
}
