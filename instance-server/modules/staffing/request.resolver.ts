import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { AfterDescription, FirstDescription } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Booking, type BookingService } from '../bookings/index.js';
import { Offer, type OfferService } from '../catalogs/index.js';
import { Guide, type GuideService } from '../guides/index.js';
import { InstanceInfo, type SettingsStore } from '../settings/index.js';
import type { RequestService } from './request.service.js';
import {
  AcceptGuideRequestInput,
  AcceptGuideRequestResult,
  DeclineGuideRequestResult,
  GuideRequest,
  GuideRequestChange,
  GuideRequestConnection,
  GuideRequestFilter,
  GuideRequestInput,
  GuideRequestPayload,
  RequestGuidesInput,
  RequestGuidesPayload,
  RequestGuidesResult,
  WithdrawGuideRequestResult,
} from './request.type.js';

const payload = (request: GuideRequest): GuideRequestPayload => Object.assign(new GuideRequestPayload(), { request });

/** Wiring of requests to guides. */
@Resolver(() => GuideRequest)
export class GuideRequestResolver {
  constructor(
    private readonly requests: RequestService,
    private readonly offers: OfferService,
    private readonly guides: GuideService,
    private readonly bookings: BookingService,
    private readonly settings: SettingsStore,
  ) {}

  @Query(() => GuideRequestConnection, { description: 'Requests to guides, newest first: staff all of this instance, guides those to themselves.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  guideRequests(
    @Ctx() ctx: RequestContext,
    @Arg('filter', () => GuideRequestFilter, { nullable: true, description: 'Which requests.' }) filter: GuideRequestFilter | null,
    @Arg('first', () => Int, { nullable: true, description: FirstDescription }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: AfterDescription }) after: string | null,
  ): Promise<GuideRequestConnection> {
    return this.requests.list(ctx, filter, first, after);
  }

  @Subscription(() => GuideRequestChange, {
    description:
      'Requests to a guide as they are made, answered and withdrawn, for himself and for staff. The first event has no id: load the open requests then, so that nothing falls between. A deadline that passes is no event.',
    subscribe: ({ args, context }) =>
      Promise.resolve((context as RequestContext).feeds.requests(context as RequestContext, args.guideId as string)) as never,
  })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  guideRequestsChanged(@Root() change: GuideRequestChange, @Arg('guideId', () => ID, { description: 'Local or global id of the guide.' }) _guideId: string): GuideRequestChange {
    return change;
  }

  @FieldResolver(() => Offer, { description: 'What he is asked to lead.' })
  offer(@Ctx() ctx: RequestContext, @Root() request: GuideRequest): Promise<Offer> {
    return this.offers.load(ctx, request.offerId);
  }

  @FieldResolver(() => InstanceInfo, { description: 'The house that asks: always the one you are signed in to, since requests never leave it.' })
  instance(): InstanceInfo {
    return this.settings.current;
  }

  @FieldResolver(() => Guide, { nullable: true, description: 'Who is asked.' })
  async guide(@Ctx() ctx: RequestContext, @Root() request: GuideRequest): Promise<Guide | null> {
    return (await this.guides.load(ctx, request.guideId)) ?? null;
  }

  @FieldResolver(() => Booking, { nullable: true, description: 'The booking, with its customer: for staff always, for the guide once he is assigned and null before.' })
  async booking(@Ctx() ctx: RequestContext, @Root() request: GuideRequest): Promise<Booking | null> {
    return (await this.bookings.load(ctx, request.bookingId)) ?? null;
  }

  @Mutation(() => RequestGuidesResult, {
    description: 'Asks several guides for a booking. The first who accept are assigned, up to its demand; the other requests are withdrawn then. Each guide who is asked gets a mail.',
  })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  requestGuides(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RequestGuidesInput, { description: 'Who is asked for what.' }) input: RequestGuidesInput,
  ): Promise<typeof RequestGuidesResult> {
    return outcomeOf(async () => Object.assign(new RequestGuidesPayload(), { requests: await this.requests.ask(ctx, input) })) as Promise<typeof RequestGuidesResult>;
  }

  @Mutation(() => AcceptGuideRequestResult, { description: 'A guide accepts a request to himself and is assigned at once. Nobody can accept for him.' })
  @VisibleTo('GUIDE')
  acceptGuideRequest(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AcceptGuideRequestInput, { description: 'Which request.' }) input: AcceptGuideRequestInput,
  ): Promise<typeof AcceptGuideRequestResult> {
    return outcomeOf(async () => payload(await this.bookings.settled(ctx, this.requests.accept(ctx, input)))) as Promise<typeof AcceptGuideRequestResult>;
  }

  @Mutation(() => DeclineGuideRequestResult, { description: 'A guide declines a request to himself.' })
  @VisibleTo('GUIDE')
  declineGuideRequest(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => GuideRequestInput, { description: 'Which request.' }) input: GuideRequestInput,
  ): Promise<typeof DeclineGuideRequestResult> {
    return outcomeOf(async () => payload(await this.requests.decline(ctx, input.requestId))) as Promise<typeof DeclineGuideRequestResult>;
  }

  @Mutation(() => WithdrawGuideRequestResult, { description: 'Staff take a request back that is not answered yet.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  withdrawGuideRequest(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => GuideRequestInput, { description: 'Which request.' }) input: GuideRequestInput,
  ): Promise<typeof WithdrawGuideRequestResult> {
    return outcomeOf(async () => payload(await this.requests.withdraw(ctx, input.requestId))) as Promise<typeof WithdrawGuideRequestResult>;
  }
}

/** The open requests of a guide. */
@Resolver(() => Guide)
export class GuideRequestsResolver {
  constructor(private readonly requests: RequestService) {}

  @FieldResolver(() => [GuideRequest], { description: 'Requests to him that are open, by deadline; 100 at most. All others are in `guideRequests`.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  openRequests(@Ctx() ctx: RequestContext, @Root() guide: Guide): Promise<GuideRequest[]> {
    return this.requests.openOf(ctx, guide.id);
  }
}

/** Who was asked for a booking. */
@Resolver(() => Booking)
export class BookingRequestsResolver {
  constructor(private readonly service: RequestService) {}

  @FieldResolver(() => [GuideRequest], { description: 'Requests made for it, newest first; the last 100. All are in `guideRequests`.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  requests(@Ctx() ctx: RequestContext, @Root() booking: Booking): Promise<GuideRequest[]> {
    return this.service.ofBooking(ctx, booking.id);
  }
}
