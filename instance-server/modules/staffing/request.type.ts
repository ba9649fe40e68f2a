import { createUnionType, Field, ID, InputType, ObjectType, Int, registerEnumType } from 'type-graphql';
import {
  AlreadyExistsError,
  IdempotencyKeyReusedError,
  InvalidInputError,
  NotFoundError,
  StaleVersionError,
  UserError,
  UserErrorCode,
} from '../../platform/errors/user-error.js';
import { IDEMPOTENCY_DESCRIPTION } from '../../platform/idempotency.js';
import { ConnectionOf, EdgeOf } from '../../platform/paging.js';
import { DateTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { GuideNotVerifiableError, GuideUnavailableError, InvalidTransitionError, TimeRangeInput } from '../bookings/index.js';
import { AgeGroup } from '../catalogs/index.js';

export enum GuideRequestState {
  OPEN = 'OPEN',
  ACCEPTED = 'ACCEPTED',
  DECLINED = 'DECLINED',
  WITHDRAWN = 'WITHDRAWN',
  EXPIRED = 'EXPIRED',
}
registerEnumType(GuideRequestState, {
  name: 'GuideRequestState',
  description: 'State of a request to a guide. It changes once.',
  valuesConfig: {
    OPEN: { description: 'The guide may answer until the deadline.' },
    ACCEPTED: { description: 'He accepted and was assigned.' },
    DECLINED: { description: 'He declined.' },
    WITHDRAWN: { description: 'It no longer stands; see `withdrawal`.' },
    EXPIRED: { description: 'The deadline passed without an answer.' },
  },
});

export enum GuideRequestWithdrawal {
  BY_STAFF = 'BY_STAFF',
  FILLED = 'FILLED',
  ASSIGNED = 'ASSIGNED',
  BOOKING_CHANGED = 'BOOKING_CHANGED',
}
registerEnumType(GuideRequestWithdrawal, {
  name: 'GuideRequestWithdrawal',
  description: 'Why a request was withdrawn.',
  valuesConfig: {
    BY_STAFF: { description: 'Staff took it back.' },
    FILLED: { description: 'The booking has all the guides it needs.' },
    ASSIGNED: { description: 'The guide was assigned without it.' },
    BOOKING_CHANGED: { description: 'Time, offer, language or age group of the booking became others, or it was cancelled.' },
  },
});

@ObjectType({
  description:
    'A guide is asked whether he takes a booking or part of it. What was asked never changes. A request blocks nobody, here or in linked houses, and is not synchronised. It is gone when its booking is deleted.',
})
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideRequest {
  @Field(() => ID, { description: 'Id of the request.' })
  id!: string;

  @Field(() => GuideRequestState, { description: 'State.' })
  state!: GuideRequestState;

  @Field(() => GuideRequestWithdrawal, { nullable: true, description: 'Why it was withdrawn; null unless it was.' })
  withdrawal!: GuideRequestWithdrawal | null;

  @Field(() => DateTimeScalar, { description: 'From when he is needed.' })
  start!: Date;

  @Field(() => DateTimeScalar, { description: 'Until when; not included.' })
  end!: Date;

  @Field(() => String, { nullable: true, description: 'Language of the tour, BCP 47.' })
  language!: string | null;

  @Field(() => AgeGroup, { nullable: true, description: 'Age group of the visitors.' })
  ageGroup!: AgeGroup | null;

  @Field(() => DateTimeScalar, { description: 'Until when he may answer; at this instant it is too late.' })
  deadline!: Date;

  @Field(() => DateTimeScalar, { description: 'When he was asked.' })
  createdAt!: Date;

  @Field(() => DateTimeScalar, { nullable: true, description: 'When it was answered or withdrawn; null while it is open and when nobody answered.' })
  closedAt!: Date | null;

  offerId!: string;

  guideId!: string;

  bookingId!: string;
}

@ObjectType({ description: 'A request with its cursor.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideRequestEdge extends EdgeOf(() => GuideRequest, 'request') {}

@ObjectType({ description: 'A page of requests, newest first.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideRequestConnection extends ConnectionOf(() => GuideRequestEdge, 'requests') {}

@InputType({ description: 'Narrows a list of requests; members are combined with "and".' })
export class GuideRequestFilter {
  @Field(() => ID, { nullable: true, description: 'Requests to this guide (local id).' })
  guideId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Requests for this booking.' })
  bookingId?: string | null;

  @Field(() => GuideRequestState, { nullable: true, description: 'Requests in this state.' })
  state?: GuideRequestState | null;
}

@InputType({ description: 'Several guides are asked for one booking.' })
export class RequestGuidesInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which booking.' })
  bookingId!: string;

  @Field(() => Int, { description: 'The `version` of the booking that you read.' })
  expectedVersion!: number;

  @Field(() => [ID], { description: 'Whom to ask, 1…50 guides (local ids). Whether they are eligible is told by `eligibleGuides` and not checked here.' })
  guideIds!: string[];

  @Field(() => DateTimeScalar, { description: 'Until when they may answer: after now, and not after the tour begins.' })
  deadline!: Date;

  @Field(() => TimeRangeInput, { nullable: true, description: 'The part they are to cover, within the booking; by default all of it.' })
  range?: TimeRangeInput | null;
}

@InputType({ description: 'A guide takes what he was asked for.' })
export class AcceptGuideRequestInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Which request.' })
  requestId!: string;
}

@InputType({ description: 'Which request. It needs no version: what was asked never changes, and a request is closed once.' })
export class GuideRequestInput {
  @Field(() => ID, { description: 'Id of the request.' })
  requestId!: string;
}

@ObjectType({
  implements: UserError,
  description: 'The request is answered, withdrawn or expired already. Nothing was changed.',
})
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideRequestClosedError extends UserError {
  override readonly code = UserErrorCode.REQUEST_CLOSED;

  override readonly message: string;

  @Field(() => GuideRequestState, { description: 'The state the request is in.' })
  readonly state: GuideRequestState;

  @Field(() => GuideRequestWithdrawal, { nullable: true, description: 'Why it was withdrawn; null unless it was.' })
  readonly withdrawal: GuideRequestWithdrawal | null;

  constructor({ state, withdrawal }: Pick<GuideRequest, 'state' | 'withdrawal'>) {
    super();
    this.state = state;
    this.withdrawal = withdrawal;
    this.message = `The request is ${state} and can be answered or withdrawn no more.`;
  }
}

@ObjectType({ description: 'The requests that were made.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class RequestGuidesPayload {
  @Field(() => [GuideRequest], { description: 'One for each guide, in the order they were named.' })
  requests!: GuideRequest[];
}

@ObjectType({ description: 'The request as it is now.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideRequestPayload {
  @Field(() => GuideRequest, { description: 'The request.' })
  request!: GuideRequest;
}

@ObjectType({ description: 'That a request to a guide was made, answered or withdrawn.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class GuideRequestChange {
  @Field(() => ID, { nullable: true, description: 'Id of the request; null: load all, as changes may have been missed.' })
  requestId!: string | null;
}

export const RequestGuidesResult = createUnionType({
  name: 'RequestGuidesResult',
  description: 'The new requests, or why nobody was asked. All are asked or none.',
  types: () =>
    [RequestGuidesPayload, AlreadyExistsError, NotFoundError, StaleVersionError, InvalidTransitionError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const AcceptGuideRequestResult = createUnionType({
  name: 'AcceptGuideRequestResult',
  description: 'The accepted request, with the guide assigned, or why he was not.',
  types: () => [GuideRequestPayload, GuideRequestClosedError, GuideUnavailableError, GuideNotVerifiableError, NotFoundError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const DeclineGuideRequestResult = createUnionType({
  name: 'DeclineGuideRequestResult',
  description: 'The declined request, or why it was not declined.',
  types: () => [GuideRequestPayload, GuideRequestClosedError, NotFoundError] as const,
});

export const WithdrawGuideRequestResult = createUnionType({
  name: 'WithdrawGuideRequestResult',
  description: 'The withdrawn request, or why it was not withdrawn.',
  types: () => [GuideRequestPayload, GuideRequestClosedError, NotFoundError] as const,
});
