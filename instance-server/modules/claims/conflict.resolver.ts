import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { AfterDescription, FirstDescription } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Booking, type BookingService } from '../bookings/index.js';
import { Guide, type GuideService } from '../guides/index.js';
import type { ConflictService } from './conflict.service.js';
import {
  ForeignBookingDisputePayload,
  ForeignBookingDisputeResult,
  ForeignBookingInput,
  GuideConflict,
  GuideConflictConnection,
  RecheckAssignmentInput,
  RecheckAssignmentPayload,
  RecheckAssignmentResult,
} from './conflict.type.js';
import type { DisputeService } from './dispute.service.js';

/** Wiring of conflicts between houses, and of disputes. */
@Resolver(() => GuideConflict)
export class ConflictResolver {
  constructor(
    private readonly conflicts: ConflictService,
    private readonly disputes: DisputeService,
    private readonly guides: GuideService,
    private readonly bookings: BookingService,
  ) {}

  @Query(() => GuideConflictConnection, { description: 'Assignments of this house, not over yet, that stand against something in another house.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  guideConflicts(
    @Ctx() ctx: RequestContext,
    @Arg('guideId', () => ID, { nullable: true, description: 'Those of one guide (local id).' }) guideId: string | null,
    @Arg('first', () => Int, { nullable: true, description: FirstDescription }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: AfterDescription }) after: string | null,
  ): Promise<GuideConflictConnection> {
    return this.conflicts.list(ctx, guideId, first, after);
  }

  @FieldResolver(() => Guide, { nullable: true, description: 'Who is wanted twice.' })
  async guide(@Ctx() ctx: RequestContext, @Root() conflict: GuideConflict): Promise<Guide | null> {
    return (await this.guides.load(ctx, conflict.guideId)) ?? null;
  }

  @FieldResolver(() => Booking, { nullable: true, description: 'The booking the assignment is for; null for a block.' })
  async booking(@Ctx() ctx: RequestContext, @Root() conflict: GuideConflict): Promise<Booking | null> {
    return conflict.bookingId ? ((await this.bookings.load(ctx, conflict.bookingId)) ?? null) : null;
  }

  @Mutation(() => RecheckAssignmentResult, { description: 'Asks again whether the guide can be counted on at that time; waits a moment for the answer.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  recheckAssignment(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RecheckAssignmentInput, { description: 'Which.' }) input: RecheckAssignmentInput,
  ): Promise<typeof RecheckAssignmentResult> {
    return outcomeOf(async () =>
      Object.assign(new RecheckAssignmentPayload(), { assignment: await this.conflicts.recheck(ctx, input.assignmentId) }),
    ) as Promise<typeof RecheckAssignmentResult>;
  }

  @Mutation(() => ForeignBookingDisputeResult, {
    description: 'You say that a booking another house sent is none of yours: it does not block you in this house any more. The other house is told.',
  })
  @VisibleTo('GUIDE')
  disputeForeignBooking(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ForeignBookingInput, { description: 'Which.' }) input: ForeignBookingInput,
  ): Promise<typeof ForeignBookingDisputeResult> {
    return this.#dispute(ctx, input, true);
  }

  @Mutation(() => ForeignBookingDisputeResult, { description: 'Takes a dispute back: the foreign booking counts again.' })
  @VisibleTo('GUIDE')
  withdrawDispute(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ForeignBookingInput, { description: 'Which.' }) input: ForeignBookingInput,
  ): Promise<typeof ForeignBookingDisputeResult> {
    return this.#dispute(ctx, input, false);
  }

  #dispute(ctx: RequestContext, { foreignBookingId }: ForeignBookingInput, disputed: boolean): Promise<typeof ForeignBookingDisputeResult> {
    return outcomeOf(async () => {
      await this.disputes.set(ctx, foreignBookingId, disputed);
      return Object.assign(new ForeignBookingDisputePayload(), { foreignBookingId, disputed });
    }) as Promise<typeof ForeignBookingDisputeResult>;
  }
}
