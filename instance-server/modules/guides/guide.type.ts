import { createUnionType, Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import {
  IdempotencyKeyReusedError,
  InvalidInputError,
  NotFoundError,
  StaleVersionError,
} from '../../platform/errors/user-error.js';
import { IDEMPOTENCY_DESCRIPTION } from '../../platform/idempotency.js';
import { ConnectionOf, EdgeOf } from '../../platform/paging.js';
import { EntityKey, VisibleTo } from '../../platform/visibility/visible-to.js';
import { VERSION_DESCRIPTION } from '../catalogs/index.js';

@ObjectType({ description: 'Where a guide is paid. For himself and administrators.', simpleResolvers: true })
@VisibleTo('GUIDE', 'ADMINISTRATOR')
export class GuideBankData {
  @Field({ description: 'Whose account it is.' })
  accountHolder!: string;

  @Field({ description: 'IBAN, without spaces.' })
  iban!: string;

  @Field(() => String, { nullable: true, description: 'BIC of the bank.' })
  bic!: string | null;
}

@ObjectType({
  description: 'A guide. Guides see themselves, staff and administrators all guides of their house; for anybody else he does not exist.',
})
@EntityKey('id')
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Guide {
  @Field(() => ID, { description: 'Local id; it never changes.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR', 'PARTNER')
  id!: string;

  @Field(() => ID, { nullable: true, description: 'Id across linked instances; null until he is coupled for the first time.' })
  globalId!: string | null;

  @Field({ description: 'First and last name.' })
  displayName!: string;

  @Field({ description: 'First name.' })
  firstName!: string;

  @Field({ description: 'Last name.' })
  lastName!: string;

  @Field(() => String, { nullable: true, description: 'Address to reach him at.' })
  email!: string | null;

  @Field(() => String, { nullable: true, description: 'Telephone number.' })
  phone!: string | null;

  @Field(() => [String], { description: 'Languages he speaks, BCP 47.' })
  languages!: string[];

  @Field(() => GuideBankData, { nullable: true, description: 'Where he is paid.' })
  @VisibleTo('GUIDE', 'ADMINISTRATOR')
  bankData!: GuideBankData | null;

  @Field({ description: 'Whether he lets this house share his bank data with those he is coupled in.' })
  @VisibleTo('GUIDE', 'ADMINISTRATOR')
  sharesBankData!: boolean;

  @Field({ description: 'Whether he leads tours at present.' })
  active!: boolean;

  @Field(() => Int, { description: 'Counts changes; see `expectedVersion` of the mutations.' })
  version!: number;
}

@ObjectType({ description: 'A guide with his cursor.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideEdge extends EdgeOf(() => Guide, 'guide') {}

@ObjectType({ description: 'A page of guides, by last and first name.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideConnection extends ConnectionOf(() => GuideEdge, 'guides') {}

@InputType({ description: 'Narrows a list of guides; members are combined with "and".' })
export class GuideFilter {
  @Field(() => Boolean, { nullable: true, description: 'Only active, or only inactive ones.' })
  active?: boolean | null;

  @Field(() => String, { nullable: true, description: 'Guides who speak this language, BCP 47.' })
  language?: string | null;

  @Field(() => ID, { nullable: true, description: 'Guides who may lead this offer.' })
  offerId?: string | null;
}

@InputType({ description: 'A new guide.' })
export class CreateGuideInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field({ description: 'First name, 1…100 characters.' })
  firstName!: string;

  @Field({ description: 'Last name, 1…100 characters.' })
  lastName!: string;

  @Field(() => String, { nullable: true, description: 'Address to reach him at.' })
  email?: string | null;

  @Field(() => String, { nullable: true, description: 'Telephone number, up to 50 characters.' })
  phone?: string | null;

  @Field(() => [String], { defaultValue: [], description: 'Languages he speaks, BCP 47.' })
  languages!: string[];

  @Field(() => [ID], { defaultValue: [], description: 'Offers he may lead.' })
  offerIds!: string[];
}

@InputType({ description: 'Where a guide is paid.' })
export class BankDataInput {
  @Field({ description: 'Whose account it is, 1…140 characters.' })
  accountHolder!: string;

  @Field({ description: 'IBAN; spaces do not matter. An empty one removes the bank data.' })
  iban!: string;

  @Field(() => String, { nullable: true, description: 'BIC of the bank, 8 or 11 characters.' })
  bic?: string | null;
}

@InputType({ description: 'Changes of a guide; what is not given stays. His log-in address is his own and not among them.' })
export class UpdateGuideInput {
  @Field(() => ID, { description: 'Local id of the guide.' })
  guideId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;

  @Field(() => String, { nullable: true, description: 'First name, 1…100 characters.' })
  firstName?: string | null;

  @Field(() => String, { nullable: true, description: 'Last name, 1…100 characters.' })
  lastName?: string | null;

  @Field(() => String, { nullable: true, description: 'Address to reach him at; an empty one removes it.' })
  email?: string | null;

  @Field(() => String, { nullable: true, description: 'Telephone number; an empty one removes it.' })
  phone?: string | null;

  @Field(() => [String], { nullable: true, description: 'Languages he speaks, BCP 47.' })
  languages?: string[] | null;

  @Field(() => BankDataInput, { nullable: true, description: 'Where he is paid. For himself and administrators alone.' })
  bankData?: BankDataInput | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Whether this house shares his bank data with those he is coupled in. For himself alone; what has been shared before stays there.',
  })
  sharesBankData?: boolean | null;

  @Field(() => [ID], { nullable: true, description: 'Offers he may lead. For staff alone.' })
  offerIds?: string[] | null;

  @Field(() => Boolean, { nullable: true, description: 'Whether he leads tours. For staff alone.' })
  active?: boolean | null;
}

@ObjectType({ description: 'The guide as he is now.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuidePayload {
  @Field(() => Guide, { description: 'The guide.' })
  guide!: Guide;
}

export const CreateGuideResult = createUnionType({
  name: 'CreateGuideResult',
  description: 'The new guide, or why there is none.',
  types: () => [GuidePayload, NotFoundError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const UpdateGuideResult = createUnionType({
  name: 'UpdateGuideResult',
  description: 'The changed guide, or why he was not changed.',
  types: () => [GuidePayload, NotFoundError, StaleVersionError, InvalidInputError] as const,
});
