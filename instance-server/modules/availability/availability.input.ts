import { createUnionType, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { IdempotencyKeyReusedError, InvalidInputError, NotFoundError, StaleVersionError } from '../../platform/errors/user-error.js';
import { IDEMPOTENCY_DESCRIPTION } from '../../platform/idempotency.js';
import { LocalDateScalar, LocalTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { TimeRangeInput } from '../bookings/index.js';
import { VERSION_DESCRIPTION } from '../catalogs/index.js';
import { Guide } from '../guides/index.js';
import { Absence, AvailabilityRule, Holiday } from './availability.type.js';

const RRULE_DESCRIPTION =
  'Days on which it recurs, as an RRULE of RFC 5545 without the word RRULE, such as `FREQ=WEEKLY;BYDAY=MO,WE`: FREQ=DAILY, WEEKLY, MONTHLY or YEARLY with INTERVAL, COUNT (366 at most, within 50 years) or UNTIL (a day), BYDAY, BYMONTH and WKST; BYMONTHDAY and BYSETPOS with MONTHLY and YEARLY. Up to 250 characters.';
const START_DESCRIPTION = 'When it begins, on a quarter of an hour, in the rule’s zone.';
const DURATION_DESCRIPTION = 'For how many minutes as clocks show them: a multiple of 15, up to 1,440.';
const EXCEPT_DESCRIPTION = 'Days on which it does not apply; 366 at most.';
const SKIPS_DESCRIPTION = 'Whether it does not apply on holidays of the house it was made in.';
const STEP_RANGE_DESCRIPTION = 'When; start and end on a quarter of an hour, a year at most.';

@InputType({ description: 'A new rule of availability. Its zone and holidays are those of this house. A guide may have 50.' })
export class CreateAvailabilityRuleInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Whose (local id).' })
  guideId!: string;

  @Field(() => LocalTimeScalar, { description: START_DESCRIPTION })
  startTime!: string;

  @Field(() => Int, { description: DURATION_DESCRIPTION })
  durationMinutes!: number;

  @Field({ description: RRULE_DESCRIPTION })
  rrule!: string;

  @Field(() => LocalDateScalar, { description: 'From which day on it counts. COUNT and INTERVAL count from it; it belongs to the rule only if it fits.' })
  validFrom!: string;

  @Field(() => LocalDateScalar, { nullable: true, description: 'Last day on which it may begin; without end unless given.' })
  validUntil?: string | null;

  @Field(() => [LocalDateScalar], { defaultValue: [], description: EXCEPT_DESCRIPTION })
  exceptDates!: string[];

  @Field({ defaultValue: false, description: SKIPS_DESCRIPTION })
  skipsHolidays!: boolean;
}

@InputType({ description: 'Changes of a rule, wherever it was made; what is not given stays, and so does its zone.' })
export class UpdateAvailabilityRuleInput {
  @Field(() => ID, { description: 'Which rule.' })
  ruleId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;

  @Field(() => LocalTimeScalar, { nullable: true, description: START_DESCRIPTION })
  startTime?: string | null;

  @Field(() => Int, { nullable: true, description: DURATION_DESCRIPTION })
  durationMinutes?: number | null;

  @Field(() => String, { nullable: true, description: RRULE_DESCRIPTION })
  rrule?: string | null;

  @Field(() => LocalDateScalar, { nullable: true, description: 'From which day on it counts.' })
  validFrom?: string | null;

  @Field(() => LocalDateScalar, { nullable: true, description: 'Last day on which it may begin; an explicit null makes it go on without end.' })
  validUntil?: string | null;

  @Field(() => [LocalDateScalar], { nullable: true, description: EXCEPT_DESCRIPTION })
  exceptDates?: string[] | null;

  @Field(() => Boolean, { nullable: true, description: SKIPS_DESCRIPTION })
  skipsHolidays?: boolean | null;
}

@InputType({ description: 'A rule is removed, in every house the guide is coupled in.' })
export class DeleteAvailabilityRuleInput {
  @Field(() => ID, { description: 'Which rule.' })
  ruleId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;
}

export enum IndividualSetting {
  AVAILABLE = 'AVAILABLE',
  UNAVAILABLE = 'UNAVAILABLE',
  BY_RULES = 'BY_RULES',
}
registerEnumType(IndividualSetting, {
  name: 'IndividualSetting',
  description: 'What is set by hand for a time.',
  valuesConfig: {
    AVAILABLE: { description: 'He is available, whatever rules say.' },
    UNAVAILABLE: { description: 'He is not available, whatever rules say.' },
    BY_RULES: { description: 'Nothing is set any more; rules decide again.' },
  },
});

export enum Weekday {
  MONDAY = 'MONDAY',
  TUESDAY = 'TUESDAY',
  WEDNESDAY = 'WEDNESDAY',
  THURSDAY = 'THURSDAY',
  FRIDAY = 'FRIDAY',
  SATURDAY = 'SATURDAY',
  SUNDAY = 'SUNDAY',
}
registerEnumType(Weekday, {
  name: 'Weekday',
  description: 'A day of the week.',
  valuesConfig: Object.fromEntries(Object.values(Weekday).map((day) => [day, { description: `${day.charAt(0)}${day.slice(1).toLowerCase()}s.` }])),
});

@InputType({ description: 'Sets a time by hand in this house; what was set for it before is replaced.' })
export class SetAvailabilityInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Whose (local id).' })
  guideId!: string;

  @Field(() => TimeRangeInput, { description: STEP_RANGE_DESCRIPTION })
  range!: TimeRangeInput;

  @Field(() => IndividualSetting, { description: 'To what.' })
  setting!: IndividualSetting;

  @Field(() => String, { nullable: true, description: 'A note, up to 500 characters. Not with BY_RULES.' })
  note?: string | null;
}

@InputType({ description: 'Sets the same times by hand on certain weekdays of a season. Local times are those of this house.' })
export class GenerateAvailabilitiesInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Whose (local id).' })
  guideId!: string;

  @Field(() => LocalDateScalar, { description: 'First day.' })
  from!: string;

  @Field(() => LocalDateScalar, { description: 'Last day, included; 366 days at most.' })
  until!: string;

  @Field(() => [Weekday], { description: 'On which weekdays; one at least.' })
  weekdays!: Weekday[];

  @Field(() => LocalTimeScalar, { description: 'From when, on a quarter of an hour.' })
  startTime!: string;

  @Field(() => LocalTimeScalar, { description: 'To when, on a quarter of an hour; not after the start means on the day after.' })
  endTime!: string;

  @Field({ defaultValue: true, description: 'Whether holidays of this house are left out.' })
  exceptHolidays!: boolean;

  @Field(() => IndividualSetting, { defaultValue: IndividualSetting.AVAILABLE, description: 'To what.' })
  setting!: IndividualSetting;

  @Field(() => String, { nullable: true, description: 'A note, up to 500 characters. Not with BY_RULES.' })
  note?: string | null;
}

@InputType({ description: 'A guide is going to be away.' })
export class CreateAbsenceInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Who (local id).' })
  guideId!: string;

  @Field(() => TimeRangeInput, { description: STEP_RANGE_DESCRIPTION })
  range!: TimeRangeInput;

  @Field(() => String, { nullable: true, description: 'Why, up to 1,000 characters. It stays in this house.' })
  reason?: string | null;
}

@InputType({ description: 'Changes of an absence; what is not given stays.' })
export class UpdateAbsenceInput {
  @Field(() => ID, { description: 'Which absence.' })
  absenceId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;

  @Field(() => TimeRangeInput, { nullable: true, description: STEP_RANGE_DESCRIPTION })
  range?: TimeRangeInput | null;

  @Field(() => String, { nullable: true, description: 'Why; an empty text removes it.' })
  reason?: string | null;
}

@InputType({ description: 'An absence is removed.' })
export class DeleteAbsenceInput {
  @Field(() => ID, { description: 'Which absence.' })
  absenceId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;
}

@InputType({ description: 'A holiday.' })
export class HolidayInput {
  @Field(() => LocalDateScalar, { description: 'The day.' })
  date!: string;

  @Field({ description: 'What it is called, 1…100 characters.' })
  name!: string;
}

@InputType({ description: 'The holidays of one year, all of them: those not named are none any more.' })
export class SetHolidaysInput {
  @Field(() => Int, { description: 'Which year.' })
  year!: number;

  @Field(() => [HolidayInput], { description: 'Its holidays. A house keeps 200 of all years at most.' })
  holidays!: HolidayInput[];
}

@ObjectType({ description: 'The rule as it is now.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class AvailabilityRulePayload {
  @Field(() => AvailabilityRule, { description: 'The rule.' })
  rule!: AvailabilityRule;
}

@ObjectType({ description: 'The rule is gone.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class DeleteAvailabilityRulePayload {
  @Field(() => ID, { description: 'Id of the rule that is gone.' })
  deletedRuleId!: string;
}

@ObjectType({ description: 'What was set.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class SetAvailabilityPayload {
  @Field(() => Guide, { description: 'The guide; ask for his `availability` as it is now.' })
  guide!: Guide;

  @Field(() => Int, { description: 'Number of times that were set: one, or as many days as fitted. A repetition gives the same.' })
  count!: number;
}

@ObjectType({ description: 'The absence as it is now.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class AbsencePayload {
  @Field(() => Absence, { description: 'The absence.' })
  absence!: Absence;
}

@ObjectType({ description: 'The absence is gone.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class DeleteAbsencePayload {
  @Field(() => ID, { description: 'Id of the absence that is gone.' })
  deletedAbsenceId!: string;
}

@ObjectType({ description: 'The holidays of the year as they are now.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class SetHolidaysPayload {
  @Field(() => [Holiday], { description: 'Its holidays, by date.' })
  holidays!: Holiday[];
}

export const CreateAvailabilityRuleResult = createUnionType({
  name: 'CreateAvailabilityRuleResult',
  description: 'The new rule, or why there is none.',
  types: () => [AvailabilityRulePayload, NotFoundError, InvalidInputError, IdempotencyKeyReusedError] as const,
});
export const UpdateAvailabilityRuleResult = createUnionType({
  name: 'UpdateAvailabilityRuleResult',
  description: 'The changed rule, or why it was not changed.',
  types: () => [AvailabilityRulePayload, NotFoundError, StaleVersionError, InvalidInputError] as const,
});
export const DeleteAvailabilityRuleResult = createUnionType({
  name: 'DeleteAvailabilityRuleResult',
  description: 'The rule is gone, or why it is not.',
  types: () => [DeleteAvailabilityRulePayload, NotFoundError, StaleVersionError] as const,
});
export const SetAvailabilityResult = createUnionType({
  name: 'SetAvailabilityResult',
  description: 'What was set, or why nothing was.',
  types: () => [SetAvailabilityPayload, NotFoundError, InvalidInputError, IdempotencyKeyReusedError] as const,
});
export const CreateAbsenceResult = createUnionType({
  name: 'CreateAbsenceResult',
  description: 'The new absence, or why there is none.',
  types: () => [AbsencePayload, NotFoundError, InvalidInputError, IdempotencyKeyReusedError] as const,
});
export const UpdateAbsenceResult = createUnionType({
  name: 'UpdateAbsenceResult',
  description: 'The changed absence, or why it was not changed.',
  types: () => [AbsencePayload, NotFoundError, StaleVersionError, InvalidInputError] as const,
});
export const DeleteAbsenceResult = createUnionType({
  name: 'DeleteAbsenceResult',
  description: 'The absence is gone, or why it is not.',
  types: () => [DeleteAbsencePayload, NotFoundError, StaleVersionError] as const,
});
export const SetHolidaysResult = createUnionType({
  name: 'SetHolidaysResult',
  description: 'The holidays, or why they were not changed.',
  types: () => [SetHolidaysPayload, InvalidInputError] as const,
});
