import { createUnionType, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { AlreadyExistsError, InvalidInputError, NotFoundError, IdempotencyKeyReusedError, UserError, UserErrorCode } from '../../platform/errors/user-error.js';
import { IDEMPOTENCY_DESCRIPTION } from '../../platform/idempotency.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { InstanceInfo } from '../settings/index.js';
import { TooManyAttemptsError } from './login-attempts.js';

export enum RoleName {
  GUIDE = 'GUIDE',
  STAFF = 'STAFF',
  ADMINISTRATOR = 'ADMINISTRATOR',
}
registerEnumType(RoleName, {
  name: 'Role',
  description: 'What an account acts as. A token carries one active role.',
  valuesConfig: {
    GUIDE: { description: 'Sees his own profile, calendar and bookings.' },
    STAFF: { description: 'Books, assigns guides, keeps guides and offers.' },
    ADMINISTRATOR: { description: 'What staff may, and besides accounts and the action log.' },
  },
});

export enum AccountState {
  INVITED = 'INVITED',
  ACTIVE = 'ACTIVE',
  DISABLED = 'DISABLED',
}
registerEnumType(AccountState, { name: 'AccountState', description: 'Whether an account can sign in: only when ACTIVE.' });

@ObjectType({ description: 'Who you are signed in as.', simpleResolvers: false })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class Viewer {
  @Field(() => ID, { description: 'Id of the account.' })
  id!: string;

  @Field({ description: 'Name to greet with.' })
  displayName!: string;

  @Field({ description: 'Address the account signs in with.' })
  email!: string;

  @Field(() => RoleName, { description: 'The active role of the token.' })
  role!: RoleName;

  @Field(() => [RoleName], { description: 'Roles the account may sign in with.' })
  roles!: RoleName[];

  @Field(() => InstanceInfo, { description: 'The instance you are signed in to: your home.' })
  instance!: InstanceInfo;

  guideId!: string | null;
}

@InputType({ description: 'Credentials.' })
export class LoginInput {
  @Field(() => String, { nullable: true, description: 'Code of the instance; needed at the gateway, checked at an instance.' })
  instance?: string | null;

  @Field({ description: 'Address of the account, in any case.' })
  email!: string;

  @Field({ description: 'Its password.' })
  password!: string;

  @Field(() => RoleName, { nullable: true, description: 'Role to act in; by default the account’s most powerful one.' })
  role?: RoleName | null;
}

@ObjectType({ description: 'A session has begun, or gone on.' })
@VisibleTo('ANYONE')
export class LoginPayload {
  @Field({ description: 'ES256 JWT for `Authorization: Bearer …`.' })
  accessToken!: string;

  @Field({ description: 'Opaque; exchange it once with `refreshSession`. Using it twice ends the session.' })
  refreshToken!: string;

  @Field(() => Int, { description: 'Seconds until the access token expires.' })
  expiresIn!: number;

  @Field(() => Viewer, { description: 'Who is signed in now.' })
  viewer!: Viewer;
}

@ObjectType({ implements: UserError, description: 'No account with this address, password and role. Which of them was wrong is not told.' })
@VisibleTo('ANYONE')
export class InvalidCredentialsError extends UserError {
  override readonly code = UserErrorCode.INVALID_CREDENTIALS;
  override readonly message = 'Address, password or role is not right.';
}

@ObjectType({ implements: UserError, description: 'The token is unknown, spent or expired.' })
@VisibleTo('ANYONE')
export class InvalidTokenError extends UserError {
  override readonly code = UserErrorCode.INVALID_TOKEN;
  override readonly message = 'This token cannot be used, or not any more.';
}

export const LoginResult = createUnionType({
  name: 'LoginResult',
  description: 'A session, or why there is none.',
  types: () => [LoginPayload, InvalidCredentialsError, TooManyAttemptsError, InvalidInputError] as const,
});

@InputType({ description: 'Exchange of a refresh token.' })
export class RefreshSessionInput {
  @Field({ description: 'The refresh token of the last log-in or refresh.' })
  refreshToken!: string;
}

export const RefreshSessionResult = createUnionType({
  name: 'RefreshSessionResult',
  description: 'New tokens, or why there are none: sign in again then.',
  types: () => [LoginPayload, InvalidTokenError] as const,
});

@ObjectType({ description: 'The session has ended; its tokens are refused and its sockets close within a second.', simpleResolvers: true })
@VisibleTo('ANYONE')
export class LogoutPayload {
  @Field(() => Int, { description: 'How many sessions were ended.' })
  endedSessions!: number;
}

@InputType({ description: 'Acceptance of an invitation.' })
export class AcceptInvitationInput {
  @Field({ description: 'Token of the invitation mail.' })
  token!: string;

  @Field({ description: 'Password of your choice, 12…200 characters.' })
  password!: string;
}

export const AcceptInvitationResult = createUnionType({
  name: 'AcceptInvitationResult',
  description: 'A first session, or why the invitation could not be accepted.',
  types: () => [LoginPayload, InvalidTokenError, InvalidInputError] as const,
});

@InputType({ description: 'Change of one’s own password.' })
export class ChangePasswordInput {
  @Field({ description: 'The password so far.' })
  currentPassword!: string;

  @Field({ description: 'The new one, 12…200 characters.' })
  newPassword!: string;
}

@ObjectType({ description: 'The password was changed; all other sessions of the account have ended.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class ChangePasswordPayload {
  @Field(() => Int, { description: 'How many other sessions were ended.' })
  endedSessions!: number;
}

export const ChangePasswordResult = createUnionType({
  name: 'ChangePasswordResult',
  description: 'Done, or why not.',
  types: () => [ChangePasswordPayload, InvalidCredentialsError, InvalidInputError, TooManyAttemptsError] as const,
});

@InputType({ description: 'Invitation of a colleague.' })
export class InviteAccountInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field({ description: 'Address the invitation goes to and the account will sign in with.' })
  email!: string;

  @Field({ description: 'Name of the person, 1…200 characters.' })
  displayName!: string;

  @Field(() => [RoleName], { description: '`[STAFF]`: guides are invited with `inviteGuide`, administrators by the operator.' })
  roles!: RoleName[];
}

@ObjectType({ description: 'The invitation is on its way by mail; nobody else sees its token.', simpleResolvers: true })
@VisibleTo('STAFF', 'ADMINISTRATOR')
export class InvitationPayload {
  @Field(() => ID, { description: 'Id of the invited account.' })
  accountId!: string;
}

export const InviteAccountResult = createUnionType({
  name: 'InviteAccountResult',
  description: 'Invited, or why not.',
  types: () => [InvitationPayload, AlreadyExistsError, InvalidInputError, IdempotencyKeyReusedError] as const,
});

@InputType({ description: 'Invitation of a guide to sign in himself.' })
export class InviteGuideInput {
  @Field(() => ID, { description: IDEMPOTENCY_DESCRIPTION })
  idempotencyKey!: string;

  @Field(() => ID, { description: 'Local id of the guide.' })
  guideId!: string;

  @Field({ description: 'Address the invitation goes to and the account will sign in with.' })
  email!: string;
}

export const InviteGuideResult = createUnionType({
  name: 'InviteGuideResult',
  description: 'Invited, or why not.',
  types: () => [InvitationPayload, NotFoundError, AlreadyExistsError, InvalidInputError, IdempotencyKeyReusedError] as const,
});
