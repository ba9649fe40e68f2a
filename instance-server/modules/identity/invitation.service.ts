import { newId, newToken, sha256Hex } from '../../platform/crypto.js';
import type { RequestContext, Role } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { AlreadyExistsError, InputReason, invalidInput, notFound, Refusal } from '../../platform/errors/user-error.js';
import { once } from '../../platform/idempotency.js';
import { enqueue } from '../../platform/jobs.js';
import { checkEmail, checkText, isUuid } from '../../platform/validation.js';
import type { Actor, AuditService } from '../audit/index.js';
import { identityRepository as repository } from './identity.repository.js';
import type { InviteAccountInput, InviteGuideInput } from './identity.type.js';

const INVITATION_DAYS = 14;

export interface NewAccount {
  email: string;
  displayName: string;
  roles: Role[];
  guideId: string | null;
}

/**
 * Responsible for invitations. The token is made when the mail is sent and never shown to whoever invites: nobody but the invited
 * person sets his password.
 */
export class InvitationService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
  ) {}

  async inviteAccount(ctx: RequestContext, input: InviteAccountInput): Promise<string> {
    const email = checkEmail(input.email, 'input.email');
    const displayName = checkText(input.displayName, 'input.displayName', { max: 200 });
    const roles = [...new Set(input.roles)] as Role[];
    if (roles.length !== 1 || roles[0] !== 'STAFF') {
      const reason = roles.length === 0 ? InputReason.REQUIRED : InputReason.CONFLICTING;
      throw invalidInput('input.roles', reason, 'Name STAFF. Guides are invited with inviteGuide, administrators by the operator.');
    }
    return this.database.app.transaction(async (tx) => {
      const { outcome } = await once(ctx, tx, 'inviteAccount', input.idempotencyKey, { email, displayName, roles }, async () => ({
        accountId: await this.invite(tx, ctx.viewer, ctx.now(), { email, displayName, roles, guideId: null }),
      }));
      return outcome.accountId;
    });
  }

  async inviteGuide(ctx: RequestContext, input: InviteGuideInput): Promise<string> {
    const email = checkEmail(input.email, 'input.email');
    if (!isUuid(input.guideId)) throw notFound('input.guideId');
    return this.database.app.transaction(async (tx) => {
      const { outcome } = await once(ctx, tx, 'inviteGuide', input.idempotencyKey, { email, guideId: input.guideId }, async () => {
        const guide = await tx.selectFrom('guide').select(['first_name', 'last_name']).where('id', '=', input.guideId).executeTakeFirst();
        if (!guide) throw notFound('input.guideId');
        const displayName = `${guide.first_name} ${guide.last_name}`;
        return { accountId: await this.invite(tx, ctx.viewer, ctx.now(), { email, displayName, roles: ['GUIDE'], guideId: input.guideId }) };
      });
      return outcome.accountId;
    });
  }

  /** Makes the account and its invitation; the mail follows when the transaction commits. */
  async invite(tx: Tx, actor: Actor, now: Date, account: NewAccount): Promise<string> {
    const id = (await repository.renewInvited(tx, account, now)) ?? newId();
    const isNew = await repository.insertAccount(tx, { id, ...account });
    if (!isNew && !(await repository.isInvited(tx, id))) {
      const taken = await repository.isTaken(tx, account.email);
      throw new Refusal(new AlreadyExistsError(taken ? 'input.email' : 'input.guideId'));
    }
    const invitationId = newId();
    await repository.insertInvitation(tx, {
      id: invitationId,
      accountId: id,
      // Stands for "no token yet": the hash of a value nobody has.
      tokenHash: sha256Hex(newToken()),
      createdAt: now,
      expiresAt: new Date(now.getTime() + INVITATION_DAYS * 86_400_000),
    });
    await this.audit.record(tx, actor, now, { action: 'account.invited', subjectType: 'account', subjectId: id, after: { roles: account.roles } });
    await enqueue(tx, 'send-invitation', { invitationId }, `invitation:${invitationId}`);
    return id;
  }
}
