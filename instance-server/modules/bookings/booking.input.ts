import { Field, ID, InputType, Int } from 'type-graphql';
import { IDEMPOTENCY_DESCRIPTION } from '../../platform/idempotency.js';
import { DateTimeScalar, LocalDateTimeScalar } from '../../platform/time.js';
import { AgeGroup, VERSION_DESCRIPTION } from '../catalogs/index.js';
import { BookingState, CancellationOrigin } from './booking.type.js';

@InputType({ description: 'A half-open range of time, `[start, end)`; a year at most.' })
export class TimeRangeInput {
  @Field(() => DateTimeScalar, { description: 'Start, included.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End, not included.' })
  end!: Date;
}

@InputType({ description: 'Narrows a list of bookings; members are combined with "and".' })
export class BookingFilter {
  @Field(() => TimeRangeInput, { nullable: true, description: 'Bookings that intersect this range.' })
  range?: TimeRangeInput | null;

  @Field(() => ID, { nullable: true, description: 'Bookings this guide is assigned to (local id).' })
  guideId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Bookings of this offer.' })
  offerId?: string | null;

  @Field(() => BookingState, { nullable: true, description: 'Bookings in this state.' })
  state?: BookingState | null;
}

@InputType({
  description:
    'When: either instants (`start`, `end`) or wall-clock times in the instance’s zone (`localStart`, `localEnd`). Without an end, the offer’s usual duration counts.',
})
export class BookingTimeInput {
  @Field(() => DateTimeScalar, { nullable: true, description: 'Start as an instant.' })
  start?: Date | null;

  @Field(() => DateTimeScalar, { nullable: true, description: 'End as an instant.' })
  end?: Date | null;

  @Field(() => LocalDateTimeScalar, { nullable: true, description: 'Start in the instance’s zone; times that a clock change skips or repeats are refused.' })
  localStart?: string | null;

  @Field(() => LocalDateTimeScalar, { nullable: true, description: 'End in the instance’s zone.' })
  localEnd?: string | null;
}

@InputType({ description: 'Who a booking is for.' })
export class CustomerInput {
  @Field({ description: 'Name of the person or group, 1…200 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'E-mail address.' })
  email?: string | null;

  @Field(() => String, { nullable: true, description: 'Telephone number, up to 50 characters.' })
  phone?: string | null;
}

@InputType({ description: 'A new booking.' })
export class CreateBookingInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'What is booked.' })
  offerId!: string;

  @Field(() => BookingTimeInput, { description: 'When.' })
  time!: BookingTimeInput;

  @Field(() => CustomerInput, { description: 'For whom.' })
  customer!: CustomerInput;

  @Field(() => Int, { nullable: true, description: 'Number of people, 1…10,000.' })
  partySize?: number | null;

  @Field(() => String, { nullable: true, description: 'Language of the tour, BCP 47.' })
  language?: string | null;

  @Field(() => AgeGroup, { nullable: true, description: 'Age group of the visitors.' })
  ageGroup?: AgeGroup | null;

  @Field(() => String, { nullable: true, description: 'Notes of the house, up to 5,000 characters.' })
  notes?: string | null;

  @Field(() => [ID], { defaultValue: [], description: 'Guides to assign for the whole time at once (local ids).' })
  guideIds!: string[];
}

@InputType({ description: 'A rebooking; what is not given stays.' })
export class RebookBookingInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which booking.' })
  bookingId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;

  @Field(() => ID, { nullable: true, description: 'Another offer.' })
  offerId?: string | null;

  @Field(() => BookingTimeInput, { nullable: true, description: 'Another time. Without an end the duration stays. Guides of the whole booking move with it.' })
  time?: BookingTimeInput | null;

  @Field(() => [ID], { nullable: true, description: 'The guides who lead it afterwards: who is not named is taken off, who is new is assigned for the whole time.' })
  guideIds?: string[] | null;

  @Field(() => CustomerInput, { nullable: true, description: 'Other contact data.' })
  customer?: CustomerInput | null;

  @Field(() => Int, { nullable: true, description: 'Number of people, 1…10,000.' })
  partySize?: number | null;

  @Field(() => String, { nullable: true, description: 'Language of the tour, BCP 47.' })
  language?: string | null;

  @Field(() => AgeGroup, { nullable: true, description: 'Age group of the visitors.' })
  ageGroup?: AgeGroup | null;

  @Field(() => String, { nullable: true, description: 'Notes; an empty text removes them.' })
  notes?: string | null;
}

@InputType({ description: 'Assignment of a guide to a booking or part of it.' })
export class AssignGuideInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which booking.' })
  bookingId!: string;

  @Field(() => ID, { description: 'Which guide (local id).' })
  guideId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;

  @Field(() => TimeRangeInput, { nullable: true, description: 'The part he covers, within the booking; by default all of it.' })
  range?: TimeRangeInput | null;
}

@InputType({ description: 'An assignment is undone; the booking lives on.' })
export class ResetAssignmentInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which assignment.' })
  assignmentId!: string;

  @Field(() => Int, { description: 'The `version` of the booking that you read.' })
  expectedVersion!: number;
}

@InputType({ description: 'A booking ends; its history is kept.' })
export class CancelBookingInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which booking.' })
  bookingId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;

  @Field({ description: 'Why, 1…1,000 characters.' })
  reason!: string;

  @Field(() => CancellationOrigin, { description: 'On whose side the reason lies.' })
  origin!: CancellationOrigin;
}

@InputType({ description: 'A booking and its customer’s data are removed for good.' })
export class DeleteBookingInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which booking.' })
  bookingId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;
}
