import { createUnionType, Field, ID, InputType, ObjectType } from 'type-graphql';
import { InvalidInputError, NotFoundError } from '../../platform/errors/user-error.js';
import { DateTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';

@ObjectType({
  description:
    'A time for which a linked house still holds a guide as taken here, though this house, restored from an older state, knows nothing of it any more. It keeps blocking there until somebody has looked what it was and lets it go; it is never made a booking again by itself.',
})
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class LostBooking {
  @Field(() => ID, { description: 'Id of the assignment that was lost.' })
  id!: string;

  @Field(() => DateTimeScalar, { description: 'When it began.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'When it ended; not included.' })
  end!: Date;

  @Field(() => String, { nullable: true, description: 'Public title of the offer it was for.' })
  offerTitle!: string | null;

  @Field({ description: 'Whether it was a block of the guide’s time rather than a booking.' })
  isBlock!: boolean;

  @Field(() => DateTimeScalar, { description: 'When this house heard of it.' })
  foundAt!: Date;

  guideId!: string;
}

@InputType({ description: 'Lets a lost booking go.' })
export class ReleaseLostBookingInput {
  @Field(() => ID, { description: 'Which one. A repetition has no further effect.' })
  lostBookingId!: string;
}

@ObjectType({ description: 'The lost booking was let go: linked houses hear that it has ended.' })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class ReleaseLostBookingPayload {
  @Field(() => ID, { description: 'The one that was let go.' })
  releasedLostBookingId!: string;
}

export const ReleaseLostBookingResult = createUnionType({
  name: 'ReleaseLostBookingResult',
  description: 'Outcome of `releaseLostBooking`.',
  types: () => [ReleaseLostBookingPayload, NotFoundError, InvalidInputError] as const,
});
