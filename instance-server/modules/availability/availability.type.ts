import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { DateTimeScalar, LocalDateScalar, LocalTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { VERSION_DESCRIPTION } from '../catalogs/index.js';
import { InstanceInfo } from '../settings/index.js';
import { AvailabilityState } from './computation.js';

registerEnumType(AvailabilityState, {
  name: 'AvailabilityState',
  description: 'What a time of a guide is. Where several hold, the first in this order is told: BOOKED, BLOCKED, ABSENT, BOOKED_ELSEWHERE, what was set by hand, what rules say.',
  valuesConfig: {
    BOOKED: { description: 'He is assigned to a booking of this house.' },
    BLOCKED: { description: 'This house withholds him without a booking.' },
    ABSENT: { description: 'He is away.' },
    BOOKED_ELSEWHERE: { description: 'A linked house has booked or blocked him.' },
    FREE_INDIVIDUALLY: { description: 'Free: set by hand as available.' },
    SET_UNAVAILABLE: { description: 'Set by hand as not available, whatever rules say.' },
    FREE_BY_RULE: { description: 'Free: a rule makes him available.' },
    NOT_AVAILABLE: { description: 'Neither set by hand nor by a rule.' },
  },
});

@ObjectType({
  description: 'A booking or block of a linked house, as it takes time away here. Guides see where it is from, staff when it is and nothing else.',
  simpleResolvers: true,
})
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class AvailabilityForeignBooking {
  @Field(() => DateTimeScalar, { description: 'Start, included.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End, not included.' })
  end!: Date;

  @Field(() => String, { nullable: true, description: 'Public title of the offer there. For the guide himself alone.' })
  @VisibleTo('GUIDE')
  offerTitle!: string | null;

  @Field(() => InstanceInfo, { nullable: true, description: 'The house it is of, and where its front end is found. For the guide himself alone.' })
  @VisibleTo('GUIDE')
  instance!: InstanceInfo | null;
}

@ObjectType({ description: 'A time in which a guide’s availability is the same throughout.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class AvailabilityPeriod {
  @Field(() => DateTimeScalar, { description: 'Start, included.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End, not included.' })
  end!: Date;

  @Field(() => AvailabilityState, { description: 'What this time is.' })
  state!: AvailabilityState;

  @Field({ description: 'Whether he can be booked: set by hand or by a rule as available, and not taken.' })
  free!: boolean;

  @Field(() => Int, { description: 'Number of living bookings of linked houses that intersect this period. Show a sign with the number unless it is 0.' })
  foreignBookingCount!: number;

  @Field(() => [AvailabilityForeignBooking], { description: 'These bookings, by start and end; each whole, also where it reaches beyond the period. 20 at most: the count says how many there are.' })
  foreignBookings!: AvailabilityForeignBooking[];
}

@ObjectType({ description: 'Recurring availability of a guide. The houses he is coupled in share it.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class AvailabilityRule {
  @Field(() => ID, { description: 'The same in every house.' })
  id!: string;

  @Field({ description: 'Code of the instance it was made in. Its zone and holidays are that house’s.' })
  origin!: string;

  @Field({ description: 'IANA time zone in which it is evaluated; never changes.' })
  timeZone!: string;

  @Field(() => LocalTimeScalar, { description: 'When it begins, in its zone. A time that clocks skip on a day is the end of the gap, one they show twice the first of the two.' })
  startTime!: string;

  @Field(() => Int, { description: 'For how many minutes as clocks show them: from 9:00 for 480 is to 17:00 on every day, also when clocks change.' })
  durationMinutes!: number;

  @Field({ description: 'Days on which it recurs, an RRULE of RFC 5545.' })
  rrule!: string;

  @Field(() => LocalDateScalar, { description: 'From which day on the rule counts; that day belongs to it only if it fits.' })
  validFrom!: string;

  @Field(() => LocalDateScalar, { nullable: true, description: 'Last day on which it may begin; null: without end.' })
  validUntil!: string | null;

  @Field(() => [LocalDateScalar], { description: 'Days on which it does not apply (EXDATE), sorted.' })
  exceptDates!: string[];

  @Field({ description: 'Whether it does not apply on holidays of the house it was made in.' })
  skipsHolidays!: boolean;

  @Field(() => [LocalDateScalar], { description: 'Holidays of that house as they are known here, sorted.' })
  holidays!: string[];

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  version!: number;

  @Field(() => DateTimeScalar, { description: 'Last change, wherever it was made.' })
  updatedAt!: Date;
}

@ObjectType({ description: 'Availability set by hand for a concrete time in this house; beats every rule. It stays in this house.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class IndividualAvailability {
  @Field(() => DateTimeScalar, { description: 'Start, included.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End, not included.' })
  end!: Date;

  @Field({ description: 'Available or not.' })
  available!: boolean;

  @Field(() => String, { nullable: true, description: 'What was noted.' })
  note!: string | null;
}

@ObjectType({ description: 'A guide is away. It stays in this house.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Absence {
  @Field(() => ID, { description: 'Id of the absence.' })
  id!: string;

  @Field(() => DateTimeScalar, { description: 'Start, included.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End, not included.' })
  end!: Date;

  @Field(() => String, { nullable: true, description: 'Why, if he has said so.' })
  reason!: string | null;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  version!: number;
}

@ObjectType({ description: 'A holiday of this house. Rules made here may skip them.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Holiday {
  @Field(() => LocalDateScalar, { description: 'The day, in the house’s zone.' })
  date!: string;

  @Field({ description: 'What it is called.' })
  name!: string;
}
