import { GraphQLError } from 'graphql';
import { Field, Int, InterfaceType, ObjectType, registerEnumType } from 'type-graphql';
import { VisibleTo } from '../visibility/visible-to.js';

export enum UserErrorCode {
  INVALID_INPUT = 'INVALID_INPUT',
  NOT_FOUND = 'NOT_FOUND',
  STALE_VERSION = 'STALE_VERSION',
  INVALID_TRANSITION = 'INVALID_TRANSITION',
  GUIDE_UNAVAILABLE = 'GUIDE_UNAVAILABLE',
  GUIDE_NOT_VERIFIABLE = 'GUIDE_NOT_VERIFIABLE',
  IDEMPOTENCY_KEY_REUSED = 'IDEMPOTENCY_KEY_REUSED',
  INVALID_CREDENTIALS = 'INVALID_CREDENTIALS',
  TOO_MANY_ATTEMPTS = 'TOO_MANY_ATTEMPTS',
  INVALID_TOKEN = 'INVALID_TOKEN',
  ALREADY_EXISTS = 'ALREADY_EXISTS',
  PARTNER_UNAVAILABLE = 'PARTNER_UNAVAILABLE',
  REQUEST_CLOSED = 'REQUEST_CLOSED',
}
registerEnumType(UserErrorCode, { name: 'UserErrorCode', description: 'Stable code of an expected outcome that is not success.' });

@InterfaceType({
  description: 'An expected outcome that is not success. Every error type of a mutation implements it.',
  autoRegisterImplementations: true,
})
@VisibleTo('ANYONE')
export abstract class UserError {
  @Field(() => UserErrorCode, { description: 'Stable code, for programs.' })
  readonly code!: UserErrorCode;

  @Field({ description: 'One sentence for people, in English; it holds no personal data.' })
  readonly message!: string;
}

export enum InputReason {
  REQUIRED = 'REQUIRED',
  TOO_LONG = 'TOO_LONG',
  TOO_SHORT = 'TOO_SHORT',
  OUT_OF_RANGE = 'OUT_OF_RANGE',
  END_BEFORE_START = 'END_BEFORE_START',
  RANGE_TOO_LONG = 'RANGE_TOO_LONG',
  OFF_GRID = 'OFF_GRID',
  MALFORMED = 'MALFORMED',
  UNKNOWN = 'UNKNOWN',
  UNKNOWN_TIME_ZONE = 'UNKNOWN_TIME_ZONE',
  LOCAL_TIME_SKIPPED = 'LOCAL_TIME_SKIPPED',
  LOCAL_TIME_AMBIGUOUS = 'LOCAL_TIME_AMBIGUOUS',
  CONFLICTING = 'CONFLICTING',
  WRONG_INSTANCE = 'WRONG_INSTANCE',
}
registerEnumType(InputReason, { name: 'InputReason', description: 'Why a value was refused.' });

@ObjectType({ implements: UserError, description: 'A value of the input is not acceptable. Nothing was changed.' })
@VisibleTo('ANYONE')
export class InvalidInputError extends UserError {
  override readonly code = UserErrorCode.INVALID_INPUT;

  @Field({ description: 'Path of the refused value, such as `input.range.end`.' })
  readonly field: string;

  @Field(() => InputReason, { description: 'Why it was refused.' })
  readonly reason: InputReason;

  override readonly message: string;

  constructor(field: string, reason: InputReason, message: string) {
    super();
    this.field = field;
    this.reason = reason;
    this.message = message;
  }
}

@ObjectType({
  implements: UserError,
  description: 'There is no such record, or none that you may see: the two are not told apart. Nothing was changed.',
})
@VisibleTo('ANYONE')
export class NotFoundError extends UserError {
  override readonly code = UserErrorCode.NOT_FOUND;

  @Field({ description: 'Path of the id that leads nowhere, such as `input.bookingId`.' })
  readonly field: string;

  override readonly message: string;

  constructor(field: string) {
    super();
    this.field = field;
    this.message = `${field} leads to nothing that you can see.`;
  }
}

@ObjectType({
  implements: UserError,
  description: 'Somebody changed the record since you read it. Nothing was changed; read it again and decide anew.',
})
@VisibleTo('ANYONE')
export class StaleVersionError extends UserError {
  override readonly code = UserErrorCode.STALE_VERSION;

  @Field(() => Int, { description: 'The version the record has now.' })
  readonly currentVersion: number;

  override readonly message: string;

  constructor(currentVersion: number) {
    super();
    this.currentVersion = currentVersion;
    this.message = `The record has changed; its version is now ${currentVersion}.`;
  }
}

@ObjectType({
  implements: UserError,
  description: 'The idempotency key was used before with another input. Nothing was changed; use a new key for a new intent.',
})
@VisibleTo('ANYONE')
export class IdempotencyKeyReusedError extends UserError {
  override readonly code = UserErrorCode.IDEMPOTENCY_KEY_REUSED;
  override readonly message = 'This idempotency key was used with another input.';
}

@ObjectType({ implements: UserError, description: 'A record with this distinguishing value exists already. Nothing was changed.' })
@VisibleTo('ANYONE')
export class AlreadyExistsError extends UserError {
  override readonly code = UserErrorCode.ALREADY_EXISTS;

  @Field({ description: 'Path of the value that is taken, such as `input.email`.' })
  readonly field: string;

  override readonly message: string;

  constructor(field: string) {
    super();
    this.field = field;
    this.message = `${field} is taken already.`;
  }
}

/** Carries an expected outcome out of a service and its transaction, which rolls back. */
export class Refusal extends Error {
  constructor(readonly outcome: UserError) {
    super(outcome.code);
  }

  /** The same outcome for a query, which has no result union. */
  toGraphQLError(): GraphQLError {
    const { code, message, ...facts } = this.outcome;
    return new GraphQLError(message, { extensions: { code, ...facts } });
  }
}

export const invalidInput = (field: string, reason: InputReason, message: string): Refusal =>
  new Refusal(new InvalidInputError(field, reason, message));
export const notFound = (field: string): Refusal => new Refusal(new NotFoundError(field));

/** A mutation's result: what `work` gives, or the expected outcome it was refused with. Faults pass through. */
export async function outcomeOf<T>(work: () => Promise<T>): Promise<T | UserError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refusal) return error.outcome;
    throw error;
  }
}
