import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import type { Database } from '../../platform/database/database.js';
import { unauthenticated } from '../../platform/errors/application-errors.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import type { SettingsStore } from '../settings/index.js';
import { identityRepository } from './identity.repository.js';
import {
  AcceptInvitationInput,
  AcceptInvitationResult,
  ChangePasswordInput,
  ChangePasswordPayload,
  ChangePasswordResult,
  InvitationPayload,
  InviteAccountInput,
  InviteAccountResult,
  InviteGuideInput,
  InviteGuideResult,
  LoginInput,
  LoginResult,
  LogoutPayload,
  RefreshSessionInput,
  RefreshSessionResult,
  RoleName,
  Viewer,
} from './identity.type.js';
import type { InvitationService } from './invitation.service.js';
import type { SessionService } from './session.service.js';
import { toViewer } from './viewer.mapper.js';

/** Wiring of accounts and sessions. */
@Resolver()
export class IdentityResolver {
  constructor(
    private readonly sessions: SessionService,
    private readonly invitations: InvitationService,
    private readonly database: Database,
    private readonly settings: SettingsStore,
  ) {}

  @Query(() => Viewer, { description: 'Who you are signed in as.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  async me(@Ctx() ctx: RequestContext): Promise<Viewer> {
    const { accountId, role } = ctx.account();
    const account = await identityRepository.accountBy(this.database.app.sql, { id: accountId });
    if (!account) throw unauthenticated('TOKEN_REVOKED');
    return toViewer(account, RoleName[role], this.settings.current);
  }

  @Mutation(() => LoginResult, { description: 'Starts a session. Public; limited per account and address.' })
  @VisibleTo('ANYONE')
  login(@Ctx() ctx: RequestContext, @Arg('input', () => LoginInput, { description: 'Credentials.' }) input: LoginInput): Promise<typeof LoginResult> {
    return outcomeOf(() => this.sessions.login(ctx, input)) as Promise<typeof LoginResult>;
  }

  @Mutation(() => RefreshSessionResult, { description: 'Exchanges a refresh token for new tokens. Public: the token is the credential.' })
  @VisibleTo('ANYONE')
  refreshSession(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RefreshSessionInput, { description: 'The refresh token.' }) input: RefreshSessionInput,
  ): Promise<typeof RefreshSessionResult> {
    return outcomeOf(() => this.sessions.refresh(ctx, input.refreshToken)) as Promise<typeof RefreshSessionResult>;
  }

  @Mutation(() => LogoutPayload, { description: 'Ends this session, or all of the account.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  async logout(
    @Ctx() ctx: RequestContext,
    @Arg('allSessions', () => Boolean, { defaultValue: false, description: 'End every session of the account.' }) allSessions: boolean,
  ): Promise<LogoutPayload> {
    return { endedSessions: await this.sessions.logout(ctx, allSessions) };
  }

  @Mutation(() => AcceptInvitationResult, { description: 'Sets the password of an invited account and signs it in. Public: the token is the credential.' })
  @VisibleTo('ANYONE')
  acceptInvitation(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AcceptInvitationInput, { description: 'Token and password.' }) input: AcceptInvitationInput,
  ): Promise<typeof AcceptInvitationResult> {
    return outcomeOf(() => this.sessions.acceptInvitation(ctx, input.token, input.password)) as Promise<typeof AcceptInvitationResult>;
  }

  @Mutation(() => ChangePasswordResult, { description: 'Changes your own password and ends your other sessions.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  changePassword(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => ChangePasswordInput, { description: 'Old and new password.' }) input: ChangePasswordInput,
  ): Promise<typeof ChangePasswordResult> {
    return outcomeOf(async () =>
      Object.assign(new ChangePasswordPayload(), { endedSessions: await this.sessions.changePassword(ctx, input.currentPassword, input.newPassword) }),
    ) as Promise<typeof ChangePasswordResult>;
  }

  @Mutation(() => InviteAccountResult, { description: 'Invites a colleague by mail.' })
  @VisibleTo('ADMINISTRATOR')
  inviteAccount(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => InviteAccountInput, { description: 'Whom.' }) input: InviteAccountInput,
  ): Promise<typeof InviteAccountResult> {
    return outcomeOf(async () =>
      Object.assign(new InvitationPayload(), { accountId: await this.invitations.inviteAccount(ctx, input) }),
    ) as Promise<typeof InviteAccountResult>;
  }

  @Mutation(() => InviteGuideResult, { description: 'Invites a guide by mail to set his own password.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  inviteGuide(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => InviteGuideInput, { description: 'Whom.' }) input: InviteGuideInput,
  ): Promise<typeof InviteGuideResult> {
    return outcomeOf(async () =>
      Object.assign(new InvitationPayload(), { accountId: await this.invitations.inviteGuide(ctx, input) }),
    ) as Promise<typeof InviteGuideResult>;
  }
}
