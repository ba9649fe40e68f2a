import { createUnionType, Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import {
  IdempotencyKeyReusedError,
  InvalidInputError,
  NotFoundError,
  StaleVersionError,
} from '../../platform/errors/user-error.js';
import { IDEMPOTENCY_DESCRIPTION } from '../../platform/idempotency.js';
import { ConnectionOf, EdgeOf } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { AgeGroup } from './age-group.js';

export const VERSION_DESCRIPTION = 'The `version` you read; another one than the present is refused with StaleVersionError.';

@ObjectType({ description: 'An amount of money.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Money {
  @Field(() => Int, { description: 'In minor units of the currency, such as cents.' })
  amount!: number;

  @Field({ description: 'ISO 4217 code.' })
  currency!: string;
}

@ObjectType({ description: 'What can be booked.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Offer {
  @Field(() => ID, { description: 'Id of the offer.' })
  id!: string;

  @Field({ description: 'Public title. It is all that a linked house learns of what a guide is booked for, and only the guide sees it there.' })
  title!: string;

  @Field(() => String, { nullable: true, description: 'Longer public text.' })
  description!: string | null;

  @Field(() => Int, { description: 'Usual duration in minutes.' })
  durationMinutes!: number;

  @Field(() => [String], { description: 'Languages it is offered in, BCP 47.' })
  languages!: string[];

  @Field(() => [AgeGroup], { description: 'Age groups it is made for; none named means everybody.' })
  ageGroups!: AgeGroup[];

  @Field(() => Int, { description: 'How many guides a booking of it needs.' })
  guideDemand!: number;

  @Field(() => Money, { description: 'Price of one booking.' })
  price!: Money;

  @Field({ description: 'Whether it can be booked at present.' })
  active!: boolean;

  @Field(() => Int, { description: 'Counts changes; see `expectedVersion` of the mutations.' })
  version!: number;
}

@ObjectType({ description: 'An offer with its cursor.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class OfferEdge extends EdgeOf(() => Offer, 'offer') {}

@ObjectType({ description: 'A page of offers, by title.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class OfferConnection extends ConnectionOf(() => OfferEdge, 'offers') {}

@InputType({ description: 'A new offer.' })
export class CreateOfferInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field({ description: 'Public title, 1…200 characters.' })
  title!: string;

  @Field(() => String, { nullable: true, description: 'Longer public text, up to 5,000 characters.' })
  description?: string | null;

  @Field(() => Int, { description: 'Usual duration, 5…10,080 minutes.' })
  durationMinutes!: number;

  @Field(() => [String], { description: 'Languages, BCP 47; 50 at most.' })
  languages!: string[];

  @Field(() => [AgeGroup], { defaultValue: [], description: 'Age groups it is made for; none named means everybody.' })
  ageGroups!: AgeGroup[];

  @Field(() => Int, { defaultValue: 1, description: 'Guides a booking needs, 0…50.' })
  guideDemand!: number;

  @Field(() => Int, { description: 'Price in minor units of the instance’s currency, 0 or more.' })
  priceAmount!: number;
}

@InputType({ description: 'Changes of an offer; what is not given stays.' })
export class UpdateOfferInput {
  @Field(() => ID, { description: 'Which offer.' })
  offerId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;

  @Field(() => String, { nullable: true, description: 'Public title, 1…200 characters.' })
  title?: string | null;

  @Field(() => String, { nullable: true, description: 'Longer public text, up to 5,000 characters; an empty one removes it.' })
  description?: string | null;

  @Field(() => Int, { nullable: true, description: 'Usual duration, 5…10,080 minutes.' })
  durationMinutes?: number | null;

  @Field(() => [String], { nullable: true, description: 'Languages, BCP 47; 50 at most.' })
  languages?: string[] | null;

  @Field(() => [AgeGroup], { nullable: true, description: 'Age groups it is made for; an empty list means everybody.' })
  ageGroups?: AgeGroup[] | null;

  @Field(() => Int, { nullable: true, description: 'Guides a booking needs, 0…50; existing bookings keep theirs.' })
  guideDemand?: number | null;

  @Field(() => Int, { nullable: true, description: 'Price in minor units, 0 or more.' })
  priceAmount?: number | null;

  @Field(() => Boolean, { nullable: true, description: 'Whether it can be booked.' })
  active?: boolean | null;
}

@ObjectType({ description: 'The offer as it is now.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class OfferPayload {
  @Field(() => Offer, { description: 'The offer.' })
  offer!: Offer;
}

export const CreateOfferResult = createUnionType({
  name: 'CreateOfferResult',
  description: 'The new offer, or why there is none.',
  types: () => [OfferPayload, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const UpdateOfferResult = createUnionType({
  name: 'UpdateOfferResult',
  description: 'The changed offer, or why it was not changed.',
  types: () => [OfferPayload, NotFoundError, StaleVersionError, InvalidInputError] as const,
});
