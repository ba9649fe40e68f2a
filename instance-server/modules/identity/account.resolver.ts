import { Arg, Ctx, Int, Mutation, Query, Resolver } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { AfterDescription, FirstDescription } from '../../platform/paging.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import type { AccountService } from './account.service.js';
import {
  AccountConnection,
  AccountPayload,
  RequestPasswordResetInput,
  RequestPasswordResetPayload,
  RequestPasswordResetResult,
  ResetPasswordInput,
  ResetPasswordResult,
  UpdateAccountInput,
  UpdateAccountResult,
} from './account.type.js';

/** Wiring of accounts as an administrator keeps them, and of forgotten passwords. */
@Resolver()
export class AccountResolver {
  constructor(private readonly accounts: AccountService) {}

  @Query(() => AccountConnection, { name: 'accounts', description: 'The accounts of this instance, by address.' })
  @VisibleTo('ADMINISTRATOR')
  listAccounts(
    @Arg('first', () => Int, { nullable: true, description: FirstDescription }) first: number | null,
    @Arg('after', () => String, { nullable: true, description: AfterDescription }) after: string | null,
  ): Promise<AccountConnection> {
    return this.accounts.list(first, after);
  }

  @Mutation(() => UpdateAccountResult, { description: 'Changes the roles of an account, disables it or permits it again. Not your own.' })
  @VisibleTo('ADMINISTRATOR')
  updateAccount(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateAccountInput, { description: 'The changes.' }) input: UpdateAccountInput,
  ): Promise<typeof UpdateAccountResult> {
    return outcomeOf(async () => Object.assign(new AccountPayload(), { account: await this.accounts.update(ctx, input) })) as Promise<typeof UpdateAccountResult>;
  }

  @Mutation(() => RequestPasswordResetResult, { description: 'Sends a mail with which a forgotten password can be replaced. Public; limited per address.' })
  @VisibleTo('ANYONE')
  requestPasswordReset(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RequestPasswordResetInput, { description: 'Whose.' }) input: RequestPasswordResetInput,
  ): Promise<typeof RequestPasswordResetResult> {
    return outcomeOf(async () => {
      await this.accounts.requestReset(ctx, input);
      return Object.assign(new RequestPasswordResetPayload(), { accepted: true });
    }) as Promise<typeof RequestPasswordResetResult>;
  }

  @Mutation(() => ResetPasswordResult, { description: 'Replaces a forgotten password, ends all sessions and signs in. Public: the token is the credential.' })
  @VisibleTo('ANYONE')
  resetPassword(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ResetPasswordInput, { description: 'Token and password.' }) input: ResetPasswordInput,
  ): Promise<typeof ResetPasswordResult> {
    return outcomeOf(() => this.accounts.reset(ctx, input)) as Promise<typeof ResetPasswordResult>;
  }
}
