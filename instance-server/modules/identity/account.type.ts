import { createUnionType, Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { InvalidInputError, NotFoundError, StaleVersionError } from '../../platform/errors/user-error.js';
import { ConnectionOf, EdgeOf } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { AccountState, InvalidTokenError, LoginPayload, RoleName } from './identity.type.js';
import { TooManyAttemptsError } from './login-attempts.js';

@ObjectType({ description: 'An account of this instance.', simpleResolvers: true })
@VisibleTo('ADMINISTRATOR')
export class Account {
  @Field(() => ID, { description: 'Id of the account.' })
  id!: string;

  @Field({ description: 'Address the account signs in with.' })
  email!: string;

  @Field({ description: 'Name of the person.' })
  displayName!: string;

  @Field(() => [RoleName], { description: 'Roles it may take.' })
  roles!: RoleName[];

  @Field(() => AccountState, { description: 'Whether it can sign in.' })
  state!: AccountState;

  @Field(() => Int, { description: 'Counts changes; see `expectedVersion` of the mutations.' })
  version!: number;
}

@ObjectType({ description: 'An account with its cursor.', simpleResolvers: true })
@VisibleTo('ADMINISTRATOR')
export class AccountEdge extends EdgeOf(() => Account, 'account') {}

@ObjectType({ description: 'A page of accounts, by address.', simpleResolvers: true })
@VisibleTo('ADMINISTRATOR')
export class AccountConnection extends ConnectionOf(() => AccountEdge, 'accounts') {}

@InputType({ description: 'Changes of an account; what is not given stays. Its address and password are its owner’s.' })
export class UpdateAccountInput {
  @Field(() => ID, { description: 'Which account.' })
  accountId!: string;

  @Field(() => Int, { description: 'The `version` you read; another one than the present is refused with StaleVersionError.' })
  expectedVersion!: number;

  @Field(() => [RoleName], { nullable: true, description: 'Roles it may take from now on. Sessions in a role taken away end within a second. GUIDE comes with `inviteGuide` and ADMINISTRATOR from the operator alone; both can only be kept or taken away.' })
  roles?: RoleName[] | null;

  @Field(() => Boolean, { nullable: true, description: 'True ends all its sessions and refuses log-ins; false permits them again.' })
  disabled?: boolean | null;
}

@ObjectType({ description: 'The account as it is now.', simpleResolvers: true })
@VisibleTo('ADMINISTRATOR')
export class AccountPayload {
  @Field(() => Account, { description: 'The account.' })
  account!: Account;
}

export const UpdateAccountResult = createUnionType({
  name: 'UpdateAccountResult',
  description: 'The changed account, or why it stayed as it was.',
  types: () => [AccountPayload, NotFoundError, StaleVersionError, InvalidInputError] as const,
});

@InputType({ description: 'A forgotten password.' })
export class RequestPasswordResetInput {
  @Field(() => String, { nullable: true, description: 'Code of the instance; needed at the gateway, checked at an instance.' })
  instance?: string | null;

  @Field({ description: 'Address of the account.' })
  email!: string;
}

@ObjectType({ description: 'If there is an active account with this address, a mail is on its way. Whether there is one is not told.', simpleResolvers: true })
@VisibleTo('ANYONE')
export class RequestPasswordResetPayload {
  @Field({ description: 'Always true.' })
  accepted!: boolean;
}

export const RequestPasswordResetResult = createUnionType({
  name: 'RequestPasswordResetResult',
  description: 'Accepted, or why not.',
  types: () => [RequestPasswordResetPayload, InvalidInputError, TooManyAttemptsError] as const,
});

@InputType({ description: 'A new password with the token of a reset mail.' })
export class ResetPasswordInput {
  @Field({ description: 'Token of the mail; valid for an hour, once.' })
  token!: string;

  @Field({ description: 'Password of your choice, 12…200 characters.' })
  password!: string;
}

export const ResetPasswordResult = createUnionType({
  name: 'ResetPasswordResult',
  description: 'A new session, all earlier ones having ended, or why the password stayed.',
  types: () => [LoginPayload, InvalidTokenError, InvalidInputError] as const,
});

