import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { AfterDescription, FirstDescription } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Offer, type OfferService } from '../catalogs/index.js';
import { Guide, type GuideService } from '../guides/index.js';
import {
  AssignGuideInput,
  BookingFilter,
  CancelBookingInput,
  CreateBookingInput,
  DeleteBookingInput,
  RebookBookingInput,
  ResetAssignmentInput,
} from './booking.input.js';
import type { BookingService } from './booking.service.js';
import {
  AssignGuideResult,
  Booking,
  BookingConnection,
  BookingOrder,
  BookingPayload,
  CancelBookingResult,
  CreateBookingResult,
  DeleteBookingPayload,
  DeleteBookingResult,
  GuideAssignment,
  RebookBookingResult,
  ResetAssignmentResult,
} from './booking.type.js';
import { assignGuide } from './commands/assign-guide.js';
import { cancelBooking } from './commands/cancel-booking.js';
import { createBooking } from './commands/create-booking.js';
import { deleteBooking } from './commands/delete-booking.js';
import { rebookBooking } from './commands/rebook-booking.js';
import { resetAssignment } from './commands/reset-assignment.js';

const payload = (booking: Booking): BookingPayload => Object.assign(new BookingPayload(), { booking });

/** Wiring of bookings. */
@Resolver(() => Booking)
export class BookingResolver {
  constructor(
    private readonly bookings: BookingService,
    private readonly offers: OfferService,
  ) {}

  @Query(() => Booking, { nullable: true, description: 'One booking; null when there is none that you may see.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  booking(@Ctx() ctx: RequestContext, @Arg('id', () => ID, { description: 'Id of the booking.' }) id: string): Promise<Booking | null> {
    return this.bookings.find(ctx, id);
  }

  @Query(() => BookingConnection, {
    name: 'bookings',
    description: 'Bookings of this instance: staff all of them, guides those they are assigned to. Foreign bookings are never listed.',
  })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  listBookings(
    @Ctx() ctx: RequestContext,
    @Arg('filter', () => BookingFilter, { nullable: true, description: 'Which bookings.' }) filter: BookingFilter | null,
    @Arg('first', () => Int, { nullable: true, description: FirstDescription }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: AfterDescription }) after: string | null,
    @Arg('orderBy', () => BookingOrder, { defaultValue: BookingOrder.START_ASC, description: 'In which order.' }) orderBy: BookingOrder,
  ): Promise<BookingConnection> {
    return this.bookings.list(ctx, filter, orderBy, first, after);
  }

  @FieldResolver(() => Offer, { description: 'What is booked.' })
  offer(@Ctx() ctx: RequestContext, @Root() booking: Booking): Promise<Offer> {
    return this.offers.load(ctx, booking.offerId);
  }

  @FieldResolver(() => [GuideAssignment], { description: 'Its guides, by start. Guides see their own assignments alone.' })
  assignments(@Ctx() ctx: RequestContext, @Root() booking: Booking): Promise<GuideAssignment[]> {
    return this.bookings.assignmentsOf(ctx, booking.id);
  }

  @Mutation(() => CreateBookingResult, { description: 'Books an offer, with guides if wanted: all of it or nothing. Whether guides are eligible is told by `eligibleGuides` and not checked here.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  createBooking(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateBookingInput, { description: 'The booking.' }) input: CreateBookingInput,
  ): Promise<typeof CreateBookingResult> {
    return outcomeOf(async () => payload(await this.bookings.settled(ctx, createBooking(this.bookings.deps, ctx, input)))) as Promise<typeof CreateBookingResult>;
  }

  @Mutation(() => RebookBookingResult, { description: 'Gives a booking another time, offer, guides or details.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  rebookBooking(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RebookBookingInput, { description: 'The changes.' }) input: RebookBookingInput,
  ): Promise<typeof RebookBookingResult> {
    return outcomeOf(async () => payload(await this.bookings.settled(ctx, rebookBooking(this.bookings.deps, ctx, input)))) as Promise<typeof RebookBookingResult>;
  }

  @Mutation(() => AssignGuideResult, { description: 'Assigns a guide to a booking or part of it. Staff decide: whether he is eligible is told by `eligibleGuides` and not checked here; nobody is assigned twice at once.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  assignGuide(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AssignGuideInput, { description: 'Who covers what.' }) input: AssignGuideInput,
  ): Promise<typeof AssignGuideResult> {
    return outcomeOf(async () => payload(await this.bookings.settled(ctx, assignGuide(this.bookings.deps, ctx, input)))) as Promise<typeof AssignGuideResult>;
  }

  @Mutation(() => ResetAssignmentResult, { description: 'Undoes an assignment; the booking lives on.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  resetAssignment(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ResetAssignmentInput, { description: 'Which assignment.' }) input: ResetAssignmentInput,
  ): Promise<typeof ResetAssignmentResult> {
    return outcomeOf(async () => payload(await resetAssignment(this.bookings.deps, ctx, input))) as Promise<typeof ResetAssignmentResult>;
  }

  @Mutation(() => CancelBookingResult, { description: 'Ends a booking; its history is kept.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  cancelBooking(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CancelBookingInput, { description: 'Which and why.' }) input: CancelBookingInput,
  ): Promise<typeof CancelBookingResult> {
    return outcomeOf(async () => payload(await cancelBooking(this.bookings.deps, ctx, input))) as Promise<typeof CancelBookingResult>;
  }

  @Mutation(() => DeleteBookingResult, { description: 'Removes a booking and its customer’s data for good.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  deleteBooking(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => DeleteBookingInput, { description: 'Which.' }) input: DeleteBookingInput,
  ): Promise<typeof DeleteBookingResult> {
    return outcomeOf(async () =>
      Object.assign(new DeleteBookingPayload(), { deletedBookingId: await deleteBooking(this.bookings.deps, ctx, input) }),
    ) as Promise<typeof DeleteBookingResult>;
  }
}

/** The guide of an assignment. */
@Resolver(() => GuideAssignment)
export class GuideAssignmentResolver {
  constructor(private readonly guides: GuideService) {}

  @FieldResolver(() => Guide, { nullable: true, description: 'Who it is.' })
  async guide(@Ctx() ctx: RequestContext, @Root() assignment: GuideAssignment): Promise<Guide | null> {
    return (await this.guides.load(ctx, assignment.guideId)) ?? null;
  }
}
