import { createUnionType, Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import {
  IdempotencyKeyReusedError,
  InvalidInputError,
  NotFoundError,
  StaleVersionError,
  UserError,
  UserErrorCode,
} from '../../platform/errors/user-error.js';
import { ConnectionOf, EdgeOf } from '../../platform/paging.js';
import { DateTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { AgeGroup } from '../catalogs/index.js';

export enum BookingState {
  BOOKED = 'BOOKED',
  CANCELLED = 'CANCELLED',
}
registerEnumType(BookingState, {
  name: 'BookingState',
  description: 'State of a booking.',
  valuesConfig: { BOOKED: { description: 'It takes place.' }, CANCELLED: { description: 'It has ended; its history is kept.' } },
});

export enum CancellationOrigin {
  CUSTOMER = 'CUSTOMER',
  HOUSE = 'HOUSE',
  GUIDE = 'GUIDE',
}
registerEnumType(CancellationOrigin, { name: 'CancellationOrigin', description: 'On whose side the reason for a cancellation lies.' });

export enum BookingOrder {
  START_ASC = 'START_ASC',
  START_DESC = 'START_DESC',
}
registerEnumType(BookingOrder, { name: 'BookingOrder', description: 'Order of a list of bookings; equal starts by id.' });

@ObjectType({ description: 'Who a booking is for. Stays in the instance that took the booking.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Customer {
  @Field({ description: 'Name of the person or group.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'E-mail address.' })
  email!: string | null;

  @Field(() => String, { nullable: true, description: 'Telephone number.' })
  phone!: string | null;
}

export enum AssignmentVerification {
  NOT_NEEDED = 'NOT_NEEDED',
  PENDING = 'PENDING',
  UNVERIFIED = 'UNVERIFIED',
  VERIFIED = 'VERIFIED',
  CONFLICT = 'CONFLICT',
}
registerEnumType(AssignmentVerification, {
  name: 'AssignmentVerification',
  description: 'Whether a guide who works for several houses can be counted on at that time: one of the houses decides for all.',
  valuesConfig: {
    NOT_NEEDED: { description: 'He works for this house alone.' },
    PENDING: { description: 'It has been asked; the answer is on its way.' },
    UNVERIFIED: { description: 'Nobody could be asked yet; it is tried again until somebody answers.' },
    VERIFIED: { description: 'The time is this house’s.' },
    CONFLICT: { description: 'The time is not this house’s; see `guideConflicts`.' },
  },
});

@ObjectType({ description: 'A guide covers a booking or part of it.' })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideAssignment {
  @Field(() => ID, { description: 'Id of the assignment, the same as of its calendar entry.' })
  id!: string;

  @Field(() => DateTimeScalar, { description: 'From when the guide is needed.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'Until when; not included.' })
  end!: Date;

  @Field(() => AssignmentVerification, { description: 'Whether he can be counted on then, in all houses he works for.' })
  verification!: AssignmentVerification;

  guideId!: string;
}

@ObjectType({ description: 'A booking of this instance. Staff see all, guides those they are assigned to.' })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Booking {
  @Field(() => ID, { description: 'Id of the booking.' })
  id!: string;

  @Field(() => DateTimeScalar, { description: 'Start.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End; not included.' })
  end!: Date;

  @Field(() => BookingState, { description: 'State.' })
  state!: BookingState;

  @Field(() => Customer, { description: 'Who it is for.' })
  customer!: Customer;

  @Field(() => Int, { nullable: true, description: 'Number of people.' })
  partySize!: number | null;

  @Field(() => String, { nullable: true, description: 'Language of the tour, BCP 47.' })
  language!: string | null;

  @Field(() => AgeGroup, { nullable: true, description: 'Age group of the visitors; null when it does not matter.' })
  ageGroup!: AgeGroup | null;

  @Field(() => String, { nullable: true, description: 'Notes of the house.' })
  notes!: string | null;

  @Field(() => Int, { description: 'How many guides it needs.' })
  guideDemand!: number;

  @Field(() => String, { nullable: true, description: 'Why it was cancelled.' })
  cancellationReason!: string | null;

  @Field(() => CancellationOrigin, { nullable: true, description: 'On whose side the reason lay.' })
  cancellationOrigin!: CancellationOrigin | null;

  @Field(() => DateTimeScalar, { nullable: true, description: 'When it was cancelled.' })
  cancelledAt!: Date | null;

  @Field(() => Int, { description: 'Counts changes, those of its assignments included; see `expectedVersion` of the mutations.' })
  version!: number;

  offerId!: string;
}

@ObjectType({ description: 'A booking with its cursor.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class BookingEdge extends EdgeOf(() => Booking, 'booking') {}

@ObjectType({ description: 'A page of bookings of this instance; foreign bookings are never among them.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class BookingConnection extends ConnectionOf(() => BookingEdge, 'bookings') {}

/** A guide cannot be had for an interval; which of the two reasons it is, the type says. */
@ObjectType({ implements: UserError })
abstract class GuideTimeError extends UserError {
  @Field(() => ID, { description: 'The guide who was wanted.' })
  readonly guideId: string;

  @Field(() => DateTimeScalar, { description: 'Start of the interval that was wanted.' })
  readonly start: Date;

  @Field(() => DateTimeScalar, { description: 'End of the interval that was wanted.' })
  readonly end: Date;

  constructor(guideId: string, start: Date, end: Date) {
    super();
    this.guideId = guideId;
    this.start = start;
    this.end = end;
  }
}

@ObjectType({ implements: UserError, description: 'The guide is taken at that time. Nothing was changed.' })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideUnavailableError extends GuideTimeError {
  override readonly code = UserErrorCode.GUIDE_UNAVAILABLE;

  override readonly message = 'The guide is assigned to something else at that time.';
}

@ObjectType({
  implements: UserError,
  description:
    'Whether the guide can be counted on at that time could not be verified, and this house assigns nobody unverified. Nothing was changed; try again later.',
})
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideNotVerifiableError extends GuideTimeError {
  override readonly code = UserErrorCode.GUIDE_NOT_VERIFIABLE;

  override readonly message = 'Whether the guide can be counted on at that time could not be verified.';
}

@ObjectType({ implements: UserError, description: 'The booking’s state does not permit this. Nothing was changed.' })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class InvalidTransitionError extends UserError {
  override readonly code = UserErrorCode.INVALID_TRANSITION;

  override readonly message: string;

  @Field(() => BookingState, { description: 'The state the booking is in.' })
  readonly state: BookingState;

  constructor(state: BookingState, action: string) {
    super();
    this.state = state;
    this.message = `A booking that is ${state} does not permit "${action}".`;
  }
}

@ObjectType({ description: 'The booking as it is now.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class BookingPayload {
  @Field(() => Booking, { description: 'The booking.' })
  booking!: Booking;
}

@ObjectType({ description: 'The booking is gone.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class DeleteBookingPayload {
  @Field(() => ID, { description: 'Id it had.' })
  deletedBookingId!: string;
}

export const CreateBookingResult = createUnionType({
  name: 'CreateBookingResult',
  description: 'The new booking, or why there is none.',
  types: () => [BookingPayload, GuideUnavailableError, GuideNotVerifiableError, NotFoundError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const RebookBookingResult = createUnionType({
  name: 'RebookBookingResult',
  description: 'The rebooked booking, or why it stayed as it was.',
  types: () =>
    [BookingPayload, GuideUnavailableError, GuideNotVerifiableError, NotFoundError, StaleVersionError, InvalidTransitionError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const AssignGuideResult = createUnionType({
  name: 'AssignGuideResult',
  description: 'The booking with its new assignment, or why there is none.',
  types: () =>
    [BookingPayload, GuideUnavailableError, GuideNotVerifiableError, NotFoundError, StaleVersionError, InvalidTransitionError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const ResetAssignmentResult = createUnionType({
  name: 'ResetAssignmentResult',
  description: 'The booking without the assignment, or why it still has it.',
  types: () => [BookingPayload, NotFoundError, StaleVersionError, InvalidTransitionError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const CancelBookingResult = createUnionType({
  name: 'CancelBookingResult',
  description: 'The cancelled booking, or why it was not cancelled.',
  types: () => [BookingPayload, NotFoundError, StaleVersionError, InvalidTransitionError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const DeleteBookingResult = createUnionType({
  name: 'DeleteBookingResult',
  description: 'Gone, or why not.',
  types: () => [DeleteBookingPayload, NotFoundError, StaleVersionError, InvalidTransitionError, InvalidInputError, IdempotencyKeyReusedError] as const,
});
