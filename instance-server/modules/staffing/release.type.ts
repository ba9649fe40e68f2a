import { createUnionType, Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { InvalidInputError, NotFoundError, StaleVersionError } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { AgeGroup } from '../catalogs/index.js';
import { GuidePayload } from '../guides/index.js';

@ObjectType({ description: 'An offer a guide may lead, and in which languages and for whom this house has released him for it. Never synchronised.' })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideRelease {
  @Field(() => [String], { nullable: true, description: 'Languages he is released for, BCP 47; null means every language he speaks.' })
  languages!: string[] | null;

  @Field(() => [AgeGroup], { nullable: true, description: 'Age groups he is released for; null means every one.' })
  ageGroups!: AgeGroup[] | null;

  offerId!: string;
}

@InputType({ description: 'What a guide is released for on one offer.' })
export class GuideReleaseInput {
  @Field(() => ID, { description: 'An offer the guide may lead already; see `offerIds` of `updateGuide`.' })
  offerId!: string;

  @Field(() => [String], { nullable: true, description: 'Languages, BCP 47, 50 at most; null means every language he speaks, an empty list none.' })
  languages?: string[] | null;

  @Field(() => [AgeGroup], { nullable: true, description: 'Age groups; null means every one, an empty list none.' })
  ageGroups?: AgeGroup[] | null;
}

@InputType({ description: 'For what a guide is released.' })
export class SetGuideReleasesInput {
  @Field(() => ID, { description: 'Local id of the guide.' })
  guideId!: string;

  @Field(() => Int, { description: 'The `version` of the guide that you read.' })
  expectedVersion!: number;

  @Field(() => [GuideReleaseInput], { description: 'What is to hold for these offers; for offers not named it stays. 500 at most, each offer once.' })
  releases!: GuideReleaseInput[];
}

export const SetGuideReleasesResult = createUnionType({
  name: 'SetGuideReleasesResult',
  description: 'The guide with his releases, or why they stayed as they were.',
  types: () => [GuidePayload, NotFoundError, StaleVersionError, InvalidInputError] as const,
});
