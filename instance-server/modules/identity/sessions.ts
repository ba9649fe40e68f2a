import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.js';
import type { AccountViewer, Role } from '../../platform/context.js';
import type { Database } from '../../platform/database/database.js';
import type { EventHub } from '../../platform/events/events.js';
import { peekToken, signToken, TokenError, type TokenVerifier } from '../../platform/tokens.js';
import type { SigningKeys } from './signing-keys.js';

/** Life of an access token, seconds. */
export const ACCESS_TOKEN_SECONDS = 300;

interface Standing {
  accountId: string;
  role: string;
  guideId: string | null;
  expiresAt: Date;
}

/**
 * Responsible for who a bearer is right now. That a signature was right is remembered by the verifier; whether session, account and
 * role still stand is looked up on every call, from memory that notifications keep fresh, or from the database while they do not come.
 */
export class Sessions {
  readonly #standings = new LRUCache<string, Standing>({ max: 50_000, ttl: 60_000 });
  /** Counts invalidations, so that a row read before one is not remembered after it. */
  #generation = 0;
  readonly #watchers = new Set<(sessionId: string | undefined) => void>();

  constructor(
    private readonly database: Database,
    private readonly keys: SigningKeys,
    private readonly verifier: TokenVerifier,
    private readonly events: EventHub,
    private readonly clock: Clock,
    private readonly instanceCode: string,
  ) {
    events.listen((event) => {
      if (event.kind === 'session') this.#forget(event.sessionId);
      if (event.kind === 'account') this.#forgetAccount(event.accountId);
      if (event.kind === 'gap') this.#forget(undefined);
    });
  }

  #forget(sessionId: string | undefined): void {
    this.#generation += 1;
    if (sessionId === undefined) this.#standings.clear();
    else this.#standings.delete(sessionId);
    for (const watcher of this.#watchers) watcher(sessionId);
  }

  #forgetAccount(accountId: string): void {
    this.#generation += 1;
    for (const [id, standing] of this.#standings.entries()) {
      if (standing.accountId === accountId) this.#standings.delete(id);
    }
    for (const watcher of this.#watchers) watcher(undefined);
  }

  /** Told when a session (or, with undefined, any) may have ended: open sockets check theirs again. */
  watch(watcher: (sessionId: string | undefined) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  issueAccessToken(session: { id: string; accountId: string; role: Role; guideId: string | null }): { token: string; expiresAt: number } {
    const { id, accountId, role, guideId } = session;
    return signToken(
      'lotse-access+jwt',
      this.keys.current(),
      { iss: this.instanceCode, aud: this.instanceCode, sub: accountId, sid: id, role, ...(role === 'GUIDE' && guideId ? { guide: guideId } : {}) },
      this.clock.now(),
      ACCESS_TOKEN_SECONDS,
    );
  }

  /** @throws TokenError */
  async authenticate(token: string): Promise<AccountViewer> {
    const { kid, typ, iss } = peekToken(token);
    if (typ !== 'lotse-access+jwt') throw new TokenError('TOKEN_INVALID');
    if (iss !== this.instanceCode) throw new TokenError('ISSUER_UNKNOWN');
    const key = this.keys.find(kid);
    if (!key) throw new TokenError('TOKEN_INVALID');
    const claims = this.verifier.verify(
      token,
      { kind: 'lotse-access+jwt', issuer: this.instanceCode, audience: this.instanceCode, maxLifeSeconds: ACCESS_TOKEN_SECONDS, key },
      this.clock.now(),
    );
    const viewer: AccountViewer = {
      kind: 'ACCOUNT',
      accountId: String(claims.sub),
      sessionId: String(claims.sid),
      role: claims.role as Role,
      guideId: typeof claims.guide === 'string' ? claims.guide : undefined,
      expiresAt: claims.exp,
    };
    if (!(await this.stands(viewer))) throw new TokenError('TOKEN_REVOKED');
    return viewer;
  }

  /** Whether session, account and role still are what the token says. */
  async stands(viewer: AccountViewer): Promise<boolean> {
    let standing = this.events.isLive ? this.#standings.get(viewer.sessionId) : undefined;
    if (!standing) {
      const generation = this.#generation;
      standing = await this.#load(viewer.sessionId);
      if (!standing) return false;
      if (generation === this.#generation) this.#standings.set(viewer.sessionId, standing);
    }
    return (
      standing.accountId === viewer.accountId &&
      standing.role === viewer.role &&
      standing.expiresAt > this.clock.now() &&
      (viewer.role !== 'GUIDE' || (standing.guideId !== null && standing.guideId === viewer.guideId))
    );
  }

  async #load(sessionId: string): Promise<Standing | undefined> {
    const row = await this.database.app.sql
      .selectFrom('session as s')
      .innerJoin('account as a', 'a.id', 's.account_id')
      .innerJoin('account_role as r', (join) => join.onRef('r.account_id', '=', 'a.id').onRef('r.role', '=', 's.role'))
      .select(['s.account_id', 's.role', 's.expires_at', 'a.guide_id'])
      .where('s.id', '=', sessionId)
      .where('s.ended_at', 'is', null)
      .where('a.state', '=', 'ACTIVE')
      .executeTakeFirst();
    return row && { accountId: row.account_id, role: row.role, guideId: row.guide_id, expiresAt: row.expires_at };
  }
}
