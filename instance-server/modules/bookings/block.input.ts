import { Field, ID, InputType, Int } from 'type-graphql';
import { IDEMPOTENCY_DESCRIPTION } from '../../platform/idempotency.js';
import { VERSION_DESCRIPTION } from '../catalogs/index.js';
import { TimeRangeInput } from './booking.input.js';

@InputType({ description: 'A time for which a guide is withheld without a booking.' })
export class CreateGuideBlockInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which guide (local id).' })
  guideId!: string;

  @Field(() => TimeRangeInput, { description: 'When.' })
  range!: TimeRangeInput;

  @Field(() => String, { nullable: true, description: 'Why, up to 1,000 characters. The guide reads it too; it never leaves this house.' })
  note?: string | null;
}

@InputType({ description: 'A change of a block; what is not given stays.' })
export class UpdateGuideBlockInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which block.' })
  blockId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;

  @Field(() => TimeRangeInput, { nullable: true, description: 'Another time.' })
  range?: TimeRangeInput | null;

  @Field(() => String, { nullable: true, description: 'Another note; an empty text removes it.' })
  note?: string | null;
}

@InputType({ description: 'A block ends and the guide is free again.' })
export class EndGuideBlockInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which block.' })
  blockId!: string;

  @Field(() => Int, { description: VERSION_DESCRIPTION })
  expectedVersion!: number;
}
