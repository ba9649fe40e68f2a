import { newId, newToken, sha256Hex } from '../../platform/crypto.js';
import type { RequestContext, Role } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { InputReason, InvalidInputError, invalidInput, Refusal, type UserError } from '../../platform/errors/user-error.js';
import { publish } from '../../platform/events/events.js';
import { checkText } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import { type AccountRecord, identityRepository as repository } from './identity.repository.js';
import { InvalidCredentialsError, InvalidTokenError, type LoginInput, LoginPayload, RoleName } from './identity.type.js';
import type { LoginAttempts } from './login-attempts.js';
import { hashPassword, PASSWORD_MAX, PASSWORD_MIN, verifyPassword } from './passwords.js';
import { ACCESS_TOKEN_SECONDS, type Sessions } from './sessions.js';
import { toViewer } from './viewer.mapper.js';
import type { SettingsStore } from '../settings/index.js';

/** A session ends for good after this long, however often it was refreshed. */
const SESSION_DAYS = 30;
/** Without a wish the most powerful role is taken. */
export const ROLES_BY_POWER: readonly Role[] = ['ADMINISTRATOR', 'STAFF', 'GUIDE'];

export function checkPassword(password: string, field: string): string {
  if (password.length < PASSWORD_MIN) throw invalidInput(field, InputReason.TOO_SHORT, `A password has ${PASSWORD_MIN} characters at least.`);
  if (password.length > PASSWORD_MAX) throw invalidInput(field, InputReason.TOO_LONG, `A password has ${PASSWORD_MAX} characters at most.`);
  return password;
}

/** Responsible for sessions: log-in, refresh with reuse detection, log-out, passwords. */
export class SessionService {
  constructor(
    private readonly database: Database,
    private readonly sessions: Sessions,
    private readonly attempts: LoginAttempts,
    private readonly audit: AuditService,
    private readonly settings: SettingsStore,
  ) {}

  /** An unknown account, a wrong password and a role not held take the same statements and the same hashing. */
  async login(ctx: RequestContext, input: LoginInput): Promise<LoginPayload> {
    const code = this.settings.current.code;
    if (input.instance && input.instance !== code) {
      throw new Refusal(new InvalidInputError('input.instance', InputReason.WRONG_INSTANCE, 'This is another instance.'));
    }
    const email = checkText(input.email, 'input.email', { max: 254 }).toLowerCase();
    if (input.password.length > PASSWORD_MAX) throw new Refusal(new InvalidCredentialsError());
    await this.attempts.count(email, ctx.clientAddress);
    const account = await repository.accountBy(this.database.app.sql, { email });
    const right = await verifyPassword(input.password, account?.state === 'ACTIVE' ? account.passwordHash : null);
    const role = account && (input.role ? account.roles.find((held) => held === input.role) : ROLES_BY_POWER.find((held) => account.roles.includes(held)));
    if (!right || !account || !role) throw new Refusal(new InvalidCredentialsError());
    await this.attempts.giveBack(email, ctx.clientAddress);
    return this.database.app.transaction(async (tx) => {
      if (!(await repository.isUnchanged(tx, account))) throw new Refusal(new InvalidCredentialsError());
      return this.begin(ctx, tx, account, role);
    });
  }

  /** Starts a session and answers the rest of the operation for its account. */
  async begin(ctx: RequestContext, tx: Tx, account: AccountRecord, role: Role): Promise<LoginPayload> {
    const now = ctx.now();
    const id = newId();
    await repository.insertSession(tx, { id, accountId: account.id, role, createdAt: now, expiresAt: new Date(now.getTime() + SESSION_DAYS * 86_400_000) });
    await this.audit.record(tx, { kind: 'ACCOUNT', accountId: account.id, sessionId: id, role, expiresAt: 0 }, now, {
      action: 'session.started',
      subjectType: 'session',
      subjectId: id,
    });
    return this.#payload(ctx, tx, { id, account, role });
  }

  async #payload(ctx: RequestContext, tx: Tx, session: { id: string; account: AccountRecord; role: Role }): Promise<LoginPayload> {
    const { id, account, role } = session;
    const secret = newToken();
    await repository.insertRefreshToken(tx, sha256Hex(secret), id, ctx.now());
    const { token, expiresAt } = this.sessions.issueAccessToken({ id, accountId: account.id, role, guideId: account.guideId });
    ctx.signIn({
      kind: 'ACCOUNT',
      accountId: account.id,
      sessionId: id,
      role,
      guideId: role === 'GUIDE' ? (account.guideId ?? undefined) : undefined,
      expiresAt,
    });
    return Object.assign(new LoginPayload(), {
      accessToken: token,
      refreshToken: `${this.settings.current.code}.${secret}`,
      expiresIn: ACCESS_TOKEN_SECONDS,
      viewer: toViewer(account, RoleName[role], this.settings.current),
    });
  }

  /** A token used a second time means that somebody else holds it: the session ends for both. */
  async refresh(ctx: RequestContext, refreshToken: string): Promise<LoginPayload> {
    const hash = sha256Hex(refreshToken.slice(refreshToken.indexOf('.') + 1));
    const result = await this.database.app.transaction(async (tx): Promise<LoginPayload | UserError> => {
      const now = ctx.now();
      const sessionId = await repository.spendRefreshToken(tx, hash, now);
      if (!sessionId) {
        const reused = await repository.sessionOfSpentToken(tx, hash);
        if (reused) await this.end(ctx, tx, { id: reused }, 'refresh-token-reused');
        return new InvalidTokenError();
      }
      const session = await repository.livingSession(tx, sessionId, now);
      const account = session && (await repository.accountBy(tx, { id: session.accountId }));
      if (!account || account.state !== 'ACTIVE' || !account.roles.includes(session.role)) return new InvalidTokenError();
      return this.#payload(ctx, tx, { id: sessionId, account, role: session.role });
    });
    // Returned, not thrown, inside the transaction: the end of a reused session must be kept.
    if (!(result instanceof LoginPayload)) throw new Refusal(result);
    return result;
  }

  /** Ends sessions in the caller's transaction. Open sockets close when it commits. */
  async end(ctx: RequestContext, tx: Tx, which: Parameters<typeof repository.endSessions>[1], reason: string): Promise<number> {
    const ended = await repository.endSessions(tx, which, reason, ctx.now());
    for (const session of ended) {
      await this.audit.recordFor(ctx, tx, {
        action: reason === 'refresh-token-reused' ? 'session.reuse-detected' : 'session.ended',
        subjectType: 'session',
        subjectId: session.id,
        after: { reason },
      });
      await publish(tx, { kind: 'session', sessionId: session.id });
    }
    return ended.length;
  }

  logout(ctx: RequestContext, allSessions: boolean): Promise<number> {
    const { sessionId, accountId } = ctx.account();
    return this.database.app.transaction((tx) => this.end(ctx, tx, allSessions ? { accountId } : { id: sessionId }, 'log-out'));
  }

  /** The token is looked up before anything is hashed: guessing one is hopeless, and hashing for guesses would be a way to keep us busy. */
  async acceptInvitation(ctx: RequestContext, token: string, password: string): Promise<LoginPayload> {
    checkPassword(password, 'input.password');
    const hash = sha256Hex(token.slice(token.indexOf('.') + 1));
    if (!(await repository.isOpenInvitation(this.database.app.sql, 'INVITATION', hash, ctx.now()))) throw new Refusal(new InvalidTokenError());
    const passwordHash = await hashPassword(password);
    return this.database.app.transaction(async (tx) => {
      const accountId = await repository.spendInvitation(tx, 'INVITATION', hash, ctx.now());
      const account = accountId ? await repository.accountBy(tx, { id: accountId }) : undefined;
      const role = account && ROLES_BY_POWER.find((held) => account.roles.includes(held));
      if (!account || !role || !(await repository.activate(tx, account.id, passwordHash))) throw new Refusal(new InvalidTokenError());
      await this.audit.record(tx, { kind: 'ACCOUNT', accountId: account.id, sessionId: '', role, expiresAt: 0 }, ctx.now(), {
        action: 'account.activated',
        subjectType: 'account',
        subjectId: account.id,
      });
      return this.begin(ctx, tx, { ...account, state: 'ACTIVE' }, role);
    });
  }

  async changePassword(ctx: RequestContext, currentPassword: string, newPassword: string): Promise<number> {
    checkPassword(newPassword, 'input.newPassword');
    const { accountId, sessionId } = ctx.account();
    const account = await repository.accountBy(this.database.app.sql, { id: accountId });
    if (!account) throw new Refusal(new InvalidCredentialsError());
    await this.attempts.count(account.email, ctx.clientAddress);
    if (!(await verifyPassword(currentPassword, account.passwordHash))) throw new Refusal(new InvalidCredentialsError());
    await this.attempts.giveBack(account.email, ctx.clientAddress);
    const passwordHash = await hashPassword(newPassword);
    return this.database.app.transaction(async (tx) => {
      if (!(await repository.replacePassword(tx, account, passwordHash, ctx.now()))) throw new Refusal(new InvalidCredentialsError());
      await this.audit.recordFor(ctx, tx, { action: 'account.password-changed', subjectType: 'account', subjectId: accountId });
      return this.end(ctx, tx, { accountId, except: sessionId }, 'password-changed');
    });
  }
}
