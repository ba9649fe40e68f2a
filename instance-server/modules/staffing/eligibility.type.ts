import { createUnionType, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { PageInfo } from '../../platform/paging.js';
import { DateTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { TimeRangeInput } from '../bookings/index.js';
import { AgeGroup } from '../catalogs/index.js';
import { LimitPeriod } from './limit-periods.js';

registerEnumType(LimitPeriod, {
  name: 'LimitPeriod',
  description: 'A period in the instance’s zone, from midnight to midnight.',
  valuesConfig: { DAY: { description: 'A day.' }, WEEK: { description: 'A week, from Monday.' }, MONTH: { description: 'A month.' } },
});

export enum LimitMeasure {
  MINUTES = 'MINUTES',
  BOOKINGS = 'BOOKINGS',
}
registerEnumType(LimitMeasure, {
  name: 'LimitMeasure',
  description: 'What a limit counts.',
  valuesConfig: { MINUTES: { description: 'Minutes he is taken.' }, BOOKINGS: { description: 'Bookings he leads.' } },
});

export enum UnfreeState {
  ALREADY_BOOKED = 'ALREADY_BOOKED',
  BLOCKED = 'BLOCKED',
  ABSENT = 'ABSENT',
  BOOKED_ELSEWHERE = 'BOOKED_ELSEWHERE',
  SET_UNAVAILABLE = 'SET_UNAVAILABLE',
  NOT_AVAILABLE = 'NOT_AVAILABLE',
}
registerEnumType(UnfreeState, {
  name: 'UnfreeState',
  description: 'Why a guide is not free at a time.',
  valuesConfig: {
    ALREADY_BOOKED: { description: 'He is assigned to a booking of this house, perhaps the very one that is asked about.' },
    BLOCKED: { description: 'This house withholds him.' },
    ABSENT: { description: 'He is absent.' },
    BOOKED_ELSEWHERE: { description: 'He is taken by a linked house. By which and for what is not told.' },
    SET_UNAVAILABLE: { description: 'He was set to be not available.' },
    NOT_AVAILABLE: { description: 'No availability covers it, neither a rule nor one set by hand.' },
  },
});

@ObjectType({ description: 'A time, `[start, end)`.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class UnfreeTime {
  @Field(() => DateTimeScalar, { description: 'Start.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End; not included.' })
  end!: Date;
}

@ObjectType({ description: 'He leads no tours at present.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class InactiveReason {
  @Field({ description: 'Always false: whether he is active.' })
  active!: boolean;
}

@ObjectType({ description: 'He may not lead the offer. What he is released for on it is not looked at then.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class NotAssignedToOfferReason {
  @Field(() => ID, { description: 'The offer.' })
  offerId!: string;
}

@ObjectType({ description: 'He does not speak the language.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class LanguageNotSpokenReason {
  @Field({ description: 'The language wanted, BCP 47.' })
  language!: string;

  @Field(() => [String], { description: 'What he speaks, BCP 47.' })
  spoken!: string[];
}

@ObjectType({ description: 'He is not released for the language on this offer.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class LanguageNotReleasedReason {
  @Field({ description: 'The language wanted, BCP 47.' })
  language!: string;

  @Field(() => [String], { description: 'What he is released for, BCP 47.' })
  releasedLanguages!: string[];
}

@ObjectType({ description: 'He is not released for the age group on this offer.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class AgeGroupNotReleasedReason {
  @Field(() => AgeGroup, { description: 'The age group wanted.' })
  ageGroup!: AgeGroup;

  @Field(() => [AgeGroup], { description: 'What he is released for.' })
  releasedAgeGroups!: AgeGroup[];
}

@ObjectType({ description: 'He is not free for all of the time. Each cause is a reason of its own, whatever the others are.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class NotFreeReason {
  @Field(() => UnfreeState, { description: 'The cause.' })
  state!: UnfreeState;

  @Field(() => [UnfreeTime], { description: 'The parts of the time asked for of which it is so, by start. Nothing else is ever told of what he does elsewhere.' })
  times!: UnfreeTime[];
}

@ObjectType({ description: 'With this he would lead more than the limit set for him. One reason a limit: the first period in which it is so.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class LimitExceededReason {
  @Field(() => LimitPeriod, { description: 'Of which kind of period the limit is.' })
  period!: LimitPeriod;

  @Field(() => LimitMeasure, { description: 'What it counts.' })
  measure!: LimitMeasure;

  @Field(() => Int, { description: 'The limit.' })
  limit!: number;

  @Field(() => Int, { description: 'What it would come to, this booking included; minutes are rounded up. Foreign bookings are in it if the guide wants them counted.' })
  count!: number;

  @Field(() => DateTimeScalar, { description: 'Start of the period.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End of the period; not included.' })
  end!: Date;
}

export const IneligibilityReason = createUnionType({
  name: 'IneligibilityReason',
  description: 'Why a guide is not eligible, with its facts. Staff may assign him nevertheless, unless he is booked or blocked.',
  types: () =>
    [
      InactiveReason,
      NotAssignedToOfferReason,
      LanguageNotSpokenReason,
      LanguageNotReleasedReason,
      AgeGroupNotReleasedReason,
      NotFreeReason,
      LimitExceededReason,
    ] as const,
});

@ObjectType({ description: 'Whether a guide can take something, and why not.' })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideEligibility {
  @Field({ description: 'Whether nothing speaks against him.' })
  eligible!: boolean;

  @Field(() => [IneligibilityReason], { description: 'Everything that speaks against him: records first, then times, then limits. Empty when he is eligible.' })
  reasons!: (typeof IneligibilityReason)[];

  @Field(() => Int, { description: 'Minutes he leads for this house in the week (from Monday) in which the time begins, without what is asked about; rounded up.' })
  minutesInWeek!: number;

  guideId!: string;
}

@ObjectType({ description: 'A page of guides, ranked.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideEligibilityPage {
  @Field(() => [GuideEligibility], { description: 'The guides of this page, the eligible ones first.' })
  guides!: GuideEligibility[];

  @Field(() => PageInfo, { description: 'Where the page ends.' })
  pageInfo!: PageInfo;
}

@InputType({ description: 'What a guide is wanted for: a booking or part of it (`bookingId`, perhaps `range`), or an offer at a time (`offerId` and `range`, perhaps `language` and `ageGroup`).' })
export class EligibleGuidesInput {
  @Field(() => ID, { nullable: true, description: 'A booking. Offer, time, language and age group are its own.' })
  bookingId?: string | null;

  @Field(() => ID, { nullable: true, description: 'An offer, when there is no booking yet.' })
  offerId?: string | null;

  @Field(() => TimeRangeInput, { nullable: true, description: 'The time, 31 days at most; of a booking, the part that is to be covered, by default all of it.' })
  range?: TimeRangeInput | null;

  @Field(() => String, { nullable: true, description: 'Language of the tour, BCP 47; not with a booking. A guide who speaks `en` or `en-US` is good for `en`, one who speaks `en` for `en-GB`.' })
  language?: string | null;

  @Field(() => AgeGroup, { nullable: true, description: 'Age group of the visitors; not with a booking.' })
  ageGroup?: AgeGroup | null;
}

@InputType({ description: 'Narrows a ranking; members are combined with "and".' })
export class EligibleGuidesFilter {
  @Field(() => [ID], { nullable: true, description: 'These guides alone (local ids), 200 at most.' })
  guideIds?: string[] | null;

  @Field(() => Boolean, { nullable: true, description: 'Only guides who may lead the offer, or only those who may not.' })
  assignedToOffer?: boolean | null;

  @Field(() => Boolean, { nullable: true, description: 'Only active, or only inactive ones.' })
  active?: boolean | null;
}
