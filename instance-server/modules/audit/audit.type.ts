import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { GraphQLJSONObject } from 'graphql-scalars';
import { ConnectionOf, EdgeOf } from '../../platform/paging.js';
import { DateTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';

@ObjectType({ description: 'One entry of the action log.', simpleResolvers: true })
@VisibleTo('ADMINISTRATOR')
export class AuditEntry {
  @Field(() => ID, { description: 'Id of the entry.' })
  id!: string;

  @Field(() => DateTimeScalar, { description: 'When it happened.' })
  at!: Date;

  @Field({ description: 'ACCOUNT, OPERATOR, PARTNER or SYSTEM.' })
  actorKind!: string;

  @Field(() => String, { nullable: true, description: 'Account id, or code of the partner instance.' })
  actorId!: string | null;

  @Field(() => String, { nullable: true, description: 'Role the account acted in.' })
  actorRole!: string | null;

  @Field(() => String, { nullable: true, description: 'The account acted for, where that is not the actor.' })
  onBehalfOf!: string | null;

  @Field({ description: 'What was done, such as `booking.rebooked`.' })
  action!: string;

  @Field({ description: 'Kind of the record changed.' })
  subjectType!: string;

  @Field(() => ID, { description: 'Id of the record changed.' })
  subjectId!: string;

  @Field(() => GraphQLJSONObject, { nullable: true, description: 'Facts before. Customers’ contact data is never part of it.' })
  before!: Record<string, unknown> | null;

  @Field(() => GraphQLJSONObject, { nullable: true, description: 'Facts after. Customers’ contact data is never part of it.' })
  after!: Record<string, unknown> | null;
}

@ObjectType({ description: 'An entry with its cursor.', simpleResolvers: true })
@VisibleTo('ADMINISTRATOR')
export class AuditEntryEdge extends EdgeOf(() => AuditEntry, 'entry') {}

@ObjectType({ description: 'A page of the action log, newest first.', simpleResolvers: true })
@VisibleTo('ADMINISTRATOR')
export class AuditEntryConnection extends ConnectionOf(() => AuditEntryEdge, 'entries') {}

@InputType({ description: 'Narrows the action log; members are combined with "and".' })
export class AuditEntryFilter {
  @Field(() => ID, { nullable: true, description: 'Entries of one record.' })
  subjectId?: string | null;

  @Field(() => String, { nullable: true, description: 'One kind of action, such as `booking.cancelled`.' })
  action?: string | null;

  @Field(() => DateTimeScalar, { nullable: true, description: 'Not before.' })
  from?: Date | null;

  @Field(() => DateTimeScalar, { nullable: true, description: 'Before.' })
  to?: Date | null;
}
