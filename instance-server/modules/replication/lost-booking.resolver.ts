import { Arg, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Guide, type GuideService } from '../guides/index.js';
import type { LostBookingService } from './lost-booking.service.js';
import { LostBooking, ReleaseLostBookingInput, ReleaseLostBookingPayload, ReleaseLostBookingResult } from './lost-booking.type.js';

/** Wiring of lost bookings. */
@Resolver(() => LostBooking)
export class LostBookingResolver {
  constructor(
    private readonly lost: LostBookingService,
    private readonly guides: GuideService,
  ) {}

  @Query(() => [LostBooking], { description: 'Times that linked houses hold for this house and that it has lost by being restored from an older state, by start; 500 at most. Empty unless that has happened.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  async lostBookings(): Promise<LostBooking[]> {
    return (await this.lost.list()).map((row) => Object.assign(new LostBooking(), row));
  }

  @FieldResolver(() => Guide, { nullable: true, description: 'The guide who was to lead it.' })
  async guide(@Ctx() ctx: RequestContext, @Root() lost: LostBooking): Promise<Guide | null> {
    return (await this.guides.load(ctx, lost.guideId)) ?? null;
  }

  @Mutation(() => ReleaseLostBookingResult, { description: 'Lets a lost booking go: it no longer blocks the guide in linked houses. Enter it anew before, if it was one that stands.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  releaseLostBooking(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ReleaseLostBookingInput, { description: 'Which one.' }) input: ReleaseLostBookingInput,
  ): Promise<typeof ReleaseLostBookingResult> {
    return outcomeOf(async () =>
      Object.assign(new ReleaseLostBookingPayload(), { releasedLostBookingId: await this.lost.release(ctx, input.lostBookingId) }),
    ) as Promise<typeof ReleaseLostBookingResult>;
  }
}
