import { createUnionType, Field, ID, InputType, ObjectType } from 'type-graphql';
import { NotFoundError } from '../../platform/errors/user-error.js';
import { ConnectionOf, EdgeOf } from '../../platform/paging.js';
import { DateTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { GuideAssignment } from '../bookings/index.js';

@ObjectType({ description: 'A time at which a guide is wanted twice.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class ConflictTime {
  @Field(() => DateTimeScalar, { description: 'Start.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'End; not included.' })
  end!: Date;
}

@ObjectType({
  description:
    'An assignment of this house that stands against something in another house, whichever came first. Reset it, rebook the booking, or have it checked again; nothing is dropped by itself.',
})
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideConflict {
  @Field(() => GuideAssignment, { description: 'The assignment of this house; its `verification` says what is known of it.' })
  assignment!: GuideAssignment;

  @Field(() => [ConflictTime], { description: 'When he is taken elsewhere during the assignment, merged, by start; empty while only the refused check is known.' })
  overlaps!: ConflictTime[];

  @Field({ description: 'Whether the guide himself says, in another house, that this assignment is none of his.' })
  disputed!: boolean;

  guideId!: string;

  bookingId!: string | null;
}

@ObjectType({ description: 'A conflict with its cursor.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideConflictEdge extends EdgeOf(() => GuideConflict, 'conflict') {}

@ObjectType({ description: 'A page of conflicts, by start of the own assignment.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class GuideConflictConnection extends ConnectionOf(() => GuideConflictEdge, 'conflicts') {}

@InputType({ description: 'Which assignment is to be checked again.' })
export class RecheckAssignmentInput {
  @Field(() => ID, { description: 'Id of the assignment.' })
  assignmentId!: string;
}

@ObjectType({ description: 'The assignment as it is now.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class RecheckAssignmentPayload {
  @Field(() => GuideAssignment, { description: 'The assignment.' })
  assignment!: GuideAssignment;
}

export const RecheckAssignmentResult = createUnionType({
  name: 'RecheckAssignmentResult',
  description: 'The assignment after the check, or why there was none.',
  types: () => [RecheckAssignmentPayload, NotFoundError] as const,
});

@InputType({ description: 'Which foreign booking.' })
export class ForeignBookingInput {
  @Field(() => ID, { description: 'Id of the entry in your calendar or availability.' })
  foreignBookingId!: string;
}

@ObjectType({ description: 'Whether the foreign booking counts here.', simpleResolvers: true })
@VisibleTo('GUIDE')
export class ForeignBookingDisputePayload {
  @Field(() => ID, { description: 'Id of the foreign booking.' })
  foreignBookingId!: string;

  @Field({ description: 'Whether you dispute it: it does not block you in this house then.' })
  disputed!: boolean;
}

export const ForeignBookingDisputeResult = createUnionType({
  name: 'ForeignBookingDisputeResult',
  description: 'What counts now, or why nothing was changed.',
  types: () => [ForeignBookingDisputePayload, NotFoundError] as const,
});
