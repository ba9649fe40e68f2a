import { createUnionType, Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import {
  AlreadyExistsError,
  IdempotencyKeyReusedError,
  InvalidInputError,
  NotFoundError,
  UserError,
  UserErrorCode,
} from '../../platform/errors/user-error.js';
import { IDEMPOTENCY_DESCRIPTION } from '../../platform/idempotency.js';
import { DateTimeScalar } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { InstanceInfo } from '../settings/index.js';

export enum CouplingState {
  REQUESTED = 'REQUESTED',
  ACCEPTED = 'ACCEPTED',
  ACTIVE = 'ACTIVE',
  PAUSED = 'PAUSED',
  DECLINED = 'DECLINED',
  ENDED = 'ENDED',
}
registerEnumType(CouplingState, {
  name: 'CouplingState',
  description: 'How far a coupling has come.',
  valuesConfig: {
    REQUESTED: { description: 'One house asked, the other has not answered.' },
    ACCEPTED: { description: 'Both houses agree; the guide has not confirmed in both of them yet.' },
    ACTIVE: { description: 'The guide confirmed in both houses: they know when he is taken.' },
    PAUSED: { description: 'In force, but one house or both hold it: changes wait until each has resumed. What the guide asks himself is answered, and he cannot be booked twice.' },
    DECLINED: { description: 'The other house or the guide declined.' },
    ENDED: { description: 'It was in force and is no more.' },
  },
});

export enum CouplingHealth {
  LIVE = 'LIVE',
  DELAYED = 'DELAYED',
  UNREACHABLE = 'UNREACHABLE',
  PAUSED = 'PAUSED',
  SUSPENDED = 'SUSPENDED',
}
registerEnumType(CouplingHealth, {
  name: 'CouplingHealth',
  description: 'How the exchange with the other house is going, by its signs of life; it says nothing of what is exchanged.',
  valuesConfig: {
    LIVE: { description: 'It gave a sign of life within the last minute.' },
    DELAYED: { description: 'No sign of life for a minute: what is known of the other house may be behind.' },
    UNREACHABLE: { description: 'No sign of life for ten minutes.' },
    PAUSED: { description: 'One house or both hold the coupling.' },
    SUSPENDED: { description: 'The operator of one house has suspended all exchange between the two.' },
  },
});

@ObjectType({ description: 'That a guide of this house and one of a linked house are the same person.' })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Coupling {
  @Field(() => ID, { description: 'Id of the coupling, the same in both houses.' })
  id!: string;

  @Field(() => InstanceInfo, { description: 'The other house.' })
  instance!: InstanceInfo;

  @Field(() => CouplingState, { description: 'How far it has come.' })
  state!: CouplingState;

  @Field({ description: 'Whether this house asked for it.' })
  requestedHere!: boolean;

  @Field(() => String, { nullable: true, description: 'The name the other house gave with its request, while it waits for an answer.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  requestedName!: string | null;

  @Field({ description: 'Whether the guide has confirmed it here. It is active once he has in both houses.' })
  confirmedHere!: boolean;

  @Field({ description: 'Whether the guide has confirmed it in the other house.' })
  confirmedThere!: boolean;

  @Field(() => DateTimeScalar, { nullable: true, description: 'Since when it is active.' })
  since!: Date | null;

  @Field({ description: 'Whether this house holds it; its staff can resume.' })
  pausedHere!: boolean;

  @Field({ description: 'Whether the other house holds it; its staff can resume.' })
  pausedThere!: boolean;

  guideId!: string | null;
  linkId!: string;
}

@ObjectType({ implements: UserError, description: 'The other house could not be reached or refused. Nothing was changed; try again later.' })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class PartnerUnavailableError extends UserError {
  override readonly code = UserErrorCode.PARTNER_UNAVAILABLE;

  override readonly message: string;

  @Field({ description: 'Code of the other house.' })
  readonly instance: string;

  constructor(instance: string) {
    super();
    this.instance = instance;
    this.message = `The instance ${instance} could not be reached or refused.`;
  }
}

@InputType({ description: 'Request to another house to couple a guide.' })
export class RequestCouplingInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'The guide here (local id).' })
  guideId!: string;

  @Field({ description: 'Code of the linked instance.' })
  instance!: string;
}

@InputType({ description: 'A guide made from a request. Names that are not given are taken from it.' })
export class CreateCoupledGuideInput {
  @Field(() => String, { nullable: true, description: 'First name, 1…100 characters. Not given: what the request names before the last blank.' })
  firstName?: string | null;

  @Field(() => String, { nullable: true, description: 'Last name, 1…100 characters. Not given: the last word of the name in the request.' })
  lastName?: string | null;

  @Field(() => String, { nullable: true, description: 'Address to reach him at.' })
  email?: string | null;

  @Field(() => String, { nullable: true, description: 'Telephone number, up to 50 characters.' })
  phone?: string | null;

  @Field(() => [String], { defaultValue: [], description: 'Languages he speaks, BCP 47.' })
  languages!: string[];

  @Field(() => [ID], { defaultValue: [], description: 'Offers he may lead.' })
  offerIds!: string[];
}

@InputType({ description: 'Acceptance of another house’s request: exactly one of guideId and createGuide. A repetition gives the same coupling and makes no second guide.' })
export class AcceptCouplingInput {
  @Field(() => ID, { description: 'Which request.' })
  couplingId!: string;

  @Field(() => ID, { nullable: true, description: 'The guide here who is that person (local id). Never chosen automatically.' })
  guideId?: string | null;

  @Field(() => CreateCoupledGuideInput, { nullable: true, description: 'He is not here yet: makes him.' })
  createGuide?: CreateCoupledGuideInput | null;
}

@InputType({ description: 'Names a coupling.' })
export class CouplingInput {
  @Field(() => ID, { description: 'Which coupling.' })
  couplingId!: string;
}

@ObjectType({ description: 'The coupling as it is now.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class CouplingPayload {
  @Field(() => Coupling, { description: 'The coupling.' })
  coupling!: Coupling;
}

export const RequestCouplingResult = createUnionType({
  name: 'RequestCouplingResult',
  description: 'The request, or why it was not made.',
  types: () => [CouplingPayload, NotFoundError, AlreadyExistsError, PartnerUnavailableError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

export const ChangeCouplingResult = createUnionType({
  name: 'ChangeCouplingResult',
  description: 'The coupling, or why it stayed as it was.',
  types: () => [CouplingPayload, NotFoundError, AlreadyExistsError, PartnerUnavailableError, InvalidInputError] as const,
});
