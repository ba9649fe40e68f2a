import { newId, newToken, sha256Hex } from '../../platform/crypto.js';
import type { RequestContext, Role } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { InputReason, invalidInput, notFound, Refusal, StaleVersionError } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import { enqueue } from '../../platform/jobs.js';
import { decodeCursor, encodeCursor, pageSize, toPage } from '../../platform/paging.js';
import { checkEmail, isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import type { SettingsStore } from '../settings/index.js';
import type { Account, AccountConnection, RequestPasswordResetInput, ResetPasswordInput, UpdateAccountInput } from './account.type.js';
import { identityRepository as repository } from './identity.repository.js';
import { AccountState, InvalidTokenError, type LoginPayload, RoleName } from './identity.type.js';
import type { LoginAttempts } from './login-attempts.js';
import { hashPassword } from './passwords.js';
import { checkPassword, ROLES_BY_POWER, type SessionService } from './session.service.js';

const LIST = 'accounts';
const RESET_MS = 3_600_000;

/** Responsible for accounts as an administrator keeps them, and for forgotten passwords. */
export class AccountService {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionService,
    private readonly attempts: LoginAttempts,
    private readonly audit: AuditService,
    private readonly settings: SettingsStore,
  ) {}

  async list(first: number | null, after: string | null): Promise<AccountConnection> {
    const size = pageSize(first);
    const position = decodeCursor(LIST, after, ['text']);
    const accounts = await this.#select(this.database.app.sql, (query) =>
      (position ? query.where('email', '>', position[0] ?? '') : query).orderBy('email').limit(size + 1),
    );
    return toPage(accounts, size, (account) => encodeCursor(LIST, [account.email]));
  }

  update(ctx: RequestContext, input: UpdateAccountInput): Promise<Account> {
    if (!isUuid(input.accountId)) throw notFound('input.accountId');
    if (input.accountId === ctx.account().accountId) {
      throw invalidInput('input.accountId', InputReason.CONFLICTING, 'Nobody changes his own rights; another administrator does.');
    }
    return this.database.app.transaction(async (tx) => {
      const locked = await tx.selectFrom('account').select(['id', 'version', 'state', 'password_hash']).where('id', '=', input.accountId).forUpdate().executeTakeFirst();
      if (!locked) throw notFound('input.accountId');
      if (locked.version !== input.expectedVersion) throw new Refusal(new StaleVersionError(locked.version));
      const before = await this.#require(tx, input.accountId);
      if (input.roles) await this.#setRoles(tx, before, input.roles);
      const activeState = locked.password_hash ? AccountState.ACTIVE : AccountState.INVITED;
      const state = input.disabled === true ? AccountState.DISABLED : input.disabled === false ? activeState : before.state;
      await tx
        .updateTable('account')
        .set((eb) => ({ state, version: eb('version', '+', 1) }))
        .where('id', '=', before.id)
        .execute();
      if (state === AccountState.DISABLED) await this.sessions.end(ctx, tx, { accountId: before.id }, 'account-disabled');
      const after = await this.#require(tx, before.id);
      await this.audit.recordFor(ctx, tx, {
        action: 'account.changed',
        subjectType: 'account',
        subjectId: before.id,
        before: { roles: before.roles, state: before.state },
        after: { roles: after.roles, state: after.state },
      });
      // Every replica looks at this account's sessions again.
      await publish(tx, { kind: 'account', accountId: before.id });
      return after;
    });
  }

  async #setRoles(tx: Tx, account: Account, roles: RoleName[]): Promise<void> {
    const wanted = [...new Set(roles)];
    if (wanted.length === 0) throw invalidInput('input.roles', InputReason.REQUIRED, 'An account has one role at least; disable it instead.');
    if (wanted.includes(RoleName.ADMINISTRATOR) && !account.roles.includes(RoleName.ADMINISTRATOR)) {
      throw invalidInput('input.roles', InputReason.CONFLICTING, 'Administrators are appointed by the operator.');
    }
    if (wanted.includes(RoleName.GUIDE) && !account.roles.includes(RoleName.GUIDE)) {
      throw invalidInput('input.roles', InputReason.CONFLICTING, 'A guide gets his account with inviteGuide.');
    }
    await tx.deleteFrom('account_role').where('account_id', '=', account.id).execute();
    await tx
      .insertInto('account_role')
      .values(wanted.map((role) => ({ account_id: account.id, role })))
      .execute();
  }

  /** The same statements for every address; whether there is such an account is known to its mailbox alone. */
  async requestReset(ctx: RequestContext, input: RequestPasswordResetInput): Promise<void> {
    if (input.instance && input.instance !== this.settings.current.code) {
      throw invalidInput('input.instance', InputReason.WRONG_INSTANCE, 'This is another instance.');
    }
    const email = checkEmail(input.email, 'input.email');
    await this.attempts.countRequest(ctx.clientAddress);
    await this.database.app.transaction(async (tx) => {
      const now = ctx.now();
      const id = newId();
      await repository.insertReset(tx, { id, email, tokenHash: sha256Hex(newToken()), createdAt: now, expiresAt: new Date(now.getTime() + RESET_MS) });
      await enqueue(tx, 'send-invitation', { invitationId: id }, `invitation:${id}`);
    });
  }

  async reset(ctx: RequestContext, input: ResetPasswordInput): Promise<LoginPayload> {
    checkPassword(input.password, 'input.password');
    const hash = sha256Hex(input.token.slice(input.token.indexOf('.') + 1));
    if (!(await repository.isOpenInvitation(this.database.app.sql, 'RESET', hash, ctx.now()))) throw new Refusal(new InvalidTokenError());
    const passwordHash = await hashPassword(input.password);
    return this.database.app.transaction(async (tx) => {
      const accountId = await repository.spendInvitation(tx, 'RESET', hash, ctx.now());
      const account = accountId ? await repository.accountBy(tx, { id: accountId }) : undefined;
      const role = account && ROLES_BY_POWER.find((held) => account.roles.includes(held));
      if (!account || !role || !(await repository.replacePassword(tx, account, passwordHash, ctx.now()))) throw new Refusal(new InvalidTokenError());
      await this.sessions.end(ctx, tx, { accountId: account.id }, 'password-reset');
      const payload = await this.sessions.begin(ctx, tx, account, role);
      await this.audit.recordFor(ctx, tx, { action: 'account.password-changed', subjectType: 'account', subjectId: account.id, after: { reset: true } });
      return payload;
    });
  }

  async #require(tx: Tx, id: string): Promise<Account> {
    const [account] = await this.#select(tx, (query) => query.where('id', '=', id));
    if (!account) throw notFound('input.accountId');
    return account;
  }

  async #select(tx: Tx, narrow: (query: ReturnType<typeof accountsOf>) => ReturnType<typeof accountsOf>): Promise<Account[]> {
    const rows = await narrow(accountsOf(tx)).execute();
    if (rows.length === 0) return [];
    const roles = await tx
      .selectFrom('account_role')
      .selectAll()
      .where(
        'account_id',
        'in',
        rows.map((row) => row.id),
      )
      .orderBy('role')
      .execute();
    return rows.map((row) => ({
      id: row.id,
      email: row.email,
      displayName: row.display_name,
      state: row.state as AccountState,
      version: row.version,
      roles: roles.filter((held) => held.account_id === row.id).map((held) => RoleName[held.role as Role]),
    }));
  }
}

const accountsOf = (tx: Tx) => tx.selectFrom('account').select(['id', 'email', 'display_name', 'state', 'version']);
