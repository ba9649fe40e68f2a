import { createUnionType, Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { InvalidInputError, NotFoundError, StaleVersionError } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { GuidePayload } from '../guides/index.js';

@ObjectType({ description: 'Most that a guide is to lead within one period.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideLimit {
  @Field(() => Int, { nullable: true, description: 'Minutes; null means without limit.' })
  minutes!: number | null;

  @Field(() => Int, { nullable: true, description: 'Bookings; null means without limit.' })
  bookings!: number | null;
}

@ObjectType({
  description:
    'Most that a guide is to lead. Days, weeks (ISO, from Monday) and months are those of the instance’s zone. Minutes count where they lie, a booking counts in every period it touches, blocks do not count. Never synchronised.',
  simpleResolvers: true,
})
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideLimits {
  @Field(() => GuideLimit, { description: 'A day.' })
  perDay!: GuideLimit;

  @Field(() => GuideLimit, { description: 'A week, from Monday.' })
  perWeek!: GuideLimit;

  @Field(() => GuideLimit, { description: 'A month.' })
  perMonth!: GuideLimit;

  @Field({ description: 'Whether times at which he is taken by linked houses count too. The guide alone decides it; false unless he has.' })
  countsForeignBookings!: boolean;
}

@InputType({ description: 'Most that a guide is to lead within one period; what is not given is without limit.' })
export class GuideLimitInput {
  @Field(() => Int, { nullable: true, description: 'Minutes, 0 and up to as many as the period has (1,440 a day, 10,080 a week, 44,640 a month).' })
  minutes?: number | null;

  @Field(() => Int, { nullable: true, description: 'Bookings, 0…1,000.' })
  bookings?: number | null;
}

@InputType({ description: 'Most that a guide is to lead; replaces all limits he has.' })
export class SetGuideLimitsInput {
  @Field(() => ID, { description: 'Local id of the guide.' })
  guideId!: string;

  @Field(() => Int, { description: 'The `version` of the guide that you read.' })
  expectedVersion!: number;

  @Field(() => GuideLimitInput, { nullable: true, description: 'A day.' })
  perDay?: GuideLimitInput | null;

  @Field(() => GuideLimitInput, { nullable: true, description: 'A week, from Monday.' })
  perWeek?: GuideLimitInput | null;

  @Field(() => GuideLimitInput, { nullable: true, description: 'A month.' })
  perMonth?: GuideLimitInput | null;
}

@InputType({ description: 'Whether what you do for linked houses counts towards your limits in this one.' })
export class SetForeignBookingsCountedInput {
  @Field(() => ID, { description: 'Your own local id.' })
  guideId!: string;

  @Field(() => Int, { description: 'The `version` of the guide that you read.' })
  expectedVersion!: number;

  @Field({ description: 'Whether it counts.' })
  counted!: boolean;
}

export const SetGuideLimitsResult = createUnionType({
  name: 'SetGuideLimitsResult',
  description: 'The guide with his limits, or why they stayed as they were.',
  types: () => [GuidePayload, NotFoundError, StaleVersionError, InvalidInputError] as const,
});

export const SetForeignBookingsCountedResult = createUnionType({
  name: 'SetForeignBookingsCountedResult',
  description: 'You with your limits, or why they stayed as they were.',
  types: () => [GuidePayload, NotFoundError, StaleVersionError] as const,
});
