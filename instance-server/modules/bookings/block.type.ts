import { createUnionType, Field, ID, Int, ObjectType } from 'type-graphql';
import { IdempotencyKeyReusedError, InvalidInputError, NotFoundError, StaleVersionError } from '../../platform/errors/user-error.js';
import { DateTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { GuideNotVerifiableError, GuideUnavailableError } from './booking.type.js';

@ObjectType({
  description:
    'Staff withhold a guide for a time without a booking. Linked houses hear of it as of a booking: when, and the title that your house gives to all blocks.',
})
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideBlock {
  @Field(() => ID, { description: 'Id of the block, the same as of its calendar entry.' })
  id!: string;

  @Field(() => DateTimeScalar, { description: 'Start.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End; not included.' })
  end!: Date;

  @Field(() => String, { nullable: true, description: 'Why he is withheld. The guide reads it too; it never leaves this house.' })
  note!: string | null;

  @Field(() => Int, { description: 'Counts changes; see `expectedVersion` of the mutations.' })
  version!: number;

  guideId!: string;
}

@ObjectType({ description: 'The block as it is now.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideBlockPayload {
  @Field(() => GuideBlock, { description: 'The block.' })
  block!: GuideBlock;
}

@ObjectType({ description: 'The block has ended; the guide is free again.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class EndGuideBlockPayload {
  @Field(() => ID, { description: 'Id of the block.' })
  endedBlockId!: string;
}

export const CreateGuideBlockResult = createUnionType({
  name: 'CreateGuideBlockResult',
  description: 'The new block, or why there is none.',
  types: () => [GuideBlockPayload, GuideUnavailableError, GuideNotVerifiableError, NotFoundError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const UpdateGuideBlockResult = createUnionType({
  name: 'UpdateGuideBlockResult',
  description: 'The changed block, or why it stayed as it was.',
  types: () => [GuideBlockPayload, GuideUnavailableError, GuideNotVerifiableError, NotFoundError, StaleVersionError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const EndGuideBlockResult = createUnionType({
  name: 'EndGuideBlockResult',
  description: 'Ended, or why not.',
  types: () => [EndGuideBlockPayload, NotFoundError, StaleVersionError, InvalidInputError, IdempotencyKeyReusedError] as const,
});
