import type { Role } from '../../platform/context.js';
import type { Tx } from '../../platform/database/database.js';

export interface AccountRecord {
  id: string;
  email: string;
  displayName: string;
  passwordHash: string | null;
  state: string;
  guideId: string | null;
  roles: Role[];
}

/** What a mailed token permits: the first password of an invited account, or another one for a forgotten one. */
export type InvitationPurpose = 'INVITATION' | 'RESET';

/** SQL of accounts, sessions and invitations. */
export const identityRepository = {
  async accountBy(tx: Tx, by: { email: string } | { id: string }): Promise<AccountRecord | undefined> {
    const rows = await tx
      .selectFrom('account as a')
      .leftJoin('account_role as r', 'r.account_id', 'a.id')
      .select(['a.id', 'a.email', 'a.display_name', 'a.password_hash', 'a.state', 'a.guide_id', 'r.role'])
      .where((eb) => ('email' in by ? eb('a.email', '=', by.email) : eb('a.id', '=', by.id)))
      .execute();
    const first = rows[0];
    return (
      first && {
        id: first.id,
        email: first.email,
        displayName: first.display_name,
        passwordHash: first.password_hash,
        state: first.state,
        guideId: first.guide_id,
        roles: rows.flatMap((row) => (row.role ? [row.role as Role] : [])),
      }
    );
  },

  async insertSession(tx: Tx, session: { id: string; accountId: string; role: Role; createdAt: Date; expiresAt: Date }): Promise<void> {
    await tx
      .insertInto('session')
      .values({ id: session.id, account_id: session.accountId, role: session.role, created_at: session.createdAt, expires_at: session.expiresAt })
      .execute();
  },

  async insertRefreshToken(tx: Tx, hash: string, sessionId: string, issuedAt: Date): Promise<void> {
    await tx.insertInto('refresh_token').values({ hash, session_id: sessionId, issued_at: issuedAt }).execute();
  },

  /** Marks the token as used, if nobody did before: of two who come at once, one gets the session. */
  async spendRefreshToken(tx: Tx, hash: string, now: Date): Promise<string | undefined> {
    const row = await tx
      .updateTable('refresh_token')
      .set({ used_at: now })
      .where('hash', '=', hash)
      .where('used_at', 'is', null)
      .returning('session_id')
      .executeTakeFirst();
    return row?.session_id;
  },

  async sessionOfSpentToken(tx: Tx, hash: string): Promise<string | undefined> {
    return (await tx.selectFrom('refresh_token').select('session_id').where('hash', '=', hash).executeTakeFirst())?.session_id;
  },

  async livingSession(tx: Tx, id: string, now: Date): Promise<{ accountId: string; role: Role } | undefined> {
    const row = await tx
      .selectFrom('session')
      .select(['account_id', 'role'])
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .where('expires_at', '>', now)
      .executeTakeFirst();
    return row && { accountId: row.account_id, role: row.role as Role };
  },

  /** Ends living sessions; gives the ids of those it ended. */
  async endSessions(
    tx: Tx,
    which: { id: string } | { accountId: string; except?: string },
    reason: string,
    now: Date,
  ): Promise<{ id: string; accountId: string }[]> {
    let update = tx.updateTable('session').set({ ended_at: now, end_reason: reason }).where('ended_at', 'is', null);
    if ('id' in which) update = update.where('id', '=', which.id);
    else {
      update = update.where('account_id', '=', which.accountId);
      if (which.except) update = update.where('id', '<>', which.except);
    }
    const rows = await update.returning(['id', 'account_id']).execute();
    return rows.map((row) => ({ id: row.id, accountId: row.account_id }));
  },

  /**
   * False when the address or the guide has an account already. Asked for with `on conflict` rather than found out by an error:
   * PostgreSQL writes the offending values of a violated rule into its log.
   */
  async insertAccount(tx: Tx, account: { id: string; email: string; displayName: string; guideId: string | null; roles: Role[] }): Promise<boolean> {
    const inserted = await tx
      .insertInto('account')
      .values({ id: account.id, email: account.email, display_name: account.displayName, password_hash: null, state: 'INVITED', guide_id: account.guideId })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .executeTakeFirst();
    if (!inserted) return false;
    await tx
      .insertInto('account_role')
      .values(account.roles.map((role) => ({ account_id: account.id, role })))
      .execute();
    return true;
  },

  /**
   * The account of a person who was invited and has not come yet, ready to be invited again: a mistyped address is corrected, earlier
   * invitations are void. A guide is known by his guide record, everybody else by the address.
   */
  async renewInvited(tx: Tx, account: { email: string; displayName: string; guideId: string | null; roles: Role[] }, now: Date): Promise<string | undefined> {
    const taken = account.guideId
      ? await tx.selectFrom('account').select('id').where('email', '=', account.email).where('guide_id', 'is distinct from', account.guideId).executeTakeFirst()
      : undefined;
    if (taken) return undefined;
    const renewed = await tx
      .updateTable('account')
      .set((eb) => ({ email: account.email, display_name: account.displayName, version: eb('version', '+', 1) }))
      .where('state', '=', 'INVITED')
      .where((eb) => (account.guideId ? eb('guide_id', '=', account.guideId) : eb.and([eb('email', '=', account.email), eb('guide_id', 'is', null)])))
      .returning('id')
      .executeTakeFirst();
    if (!renewed) return undefined;
    await tx.updateTable('invitation').set({ used_at: now }).where('account_id', '=', renewed.id).where('used_at', 'is', null).execute();
    return renewed.id;
  },

  async isTaken(tx: Tx, email: string): Promise<boolean> {
    return (await tx.selectFrom('account').select('id').where('email', '=', email).executeTakeFirst()) !== undefined;
  },

  async isInvited(tx: Tx, id: string): Promise<boolean> {
    return (await tx.selectFrom('account').select('id').where('id', '=', id).where('state', '=', 'INVITED').executeTakeFirst()) !== undefined;
  },

  async insertInvitation(tx: Tx, invitation: { id: string; accountId: string; tokenHash: string; createdAt: Date; expiresAt: Date }): Promise<void> {
    await tx
      .insertInto('invitation')
      .values({
        id: invitation.id,
        account_id: invitation.accountId,
        token_hash: invitation.tokenHash,
        created_at: invitation.createdAt,
        expires_at: invitation.expiresAt,
      })
      .execute();
  },

  /** A reset for the active account with this address; gives an id whether there is one or not, so that both go on alike. */
  async insertReset(tx: Tx, reset: { id: string; email: string; tokenHash: string; createdAt: Date; expiresAt: Date }): Promise<void> {
    await tx
      .insertInto('invitation')
      .columns(['id', 'account_id', 'purpose', 'token_hash', 'created_at', 'expires_at'])
      .expression((eb) =>
        eb
          .selectFrom('account')
          .select([
            eb.cast<string>(eb.val(reset.id), 'uuid').as('id'),
            'account.id as account_id',
            eb.val('RESET').as('purpose'),
            eb.val(reset.tokenHash).as('token_hash'),
            eb.cast<Date>(eb.val(reset.createdAt), 'timestamptz').as('created_at'),
            eb.cast<Date>(eb.val(reset.expiresAt), 'timestamptz').as('expires_at'),
          ])
          .where('account.email', '=', reset.email)
          .where('account.state', '=', 'ACTIVE'),
      )
      .execute();
  },

  async isOpenInvitation(tx: Tx, purpose: InvitationPurpose, tokenHash: string, now: Date): Promise<boolean> {
    const row = await tx
      .selectFrom('invitation')
      .select('id')
      .where('token_hash', '=', tokenHash)
      .where('purpose', '=', purpose)
      .where('used_at', 'is', null)
      .where('expires_at', '>', now)
      .executeTakeFirst();
    return row !== undefined;
  },

  async spendInvitation(tx: Tx, purpose: InvitationPurpose, tokenHash: string, now: Date): Promise<string | undefined> {
    const row = await tx
      .updateTable('invitation')
      .set({ used_at: now })
      .where('token_hash', '=', tokenHash)
      .where('purpose', '=', purpose)
      .where('used_at', 'is', null)
      .where('expires_at', '>', now)
      .returning('account_id')
      .executeTakeFirst();
    return row?.account_id;
  },

  /** An invited account's first password makes it active. False when it is not waiting for one any more. */
  async activate(tx: Tx, accountId: string, passwordHash: string): Promise<boolean> {
    const updated = await tx
      .updateTable('account')
      .set((eb) => ({ password_hash: passwordHash, state: 'ACTIVE', version: eb('version', '+', 1) }))
      .where('id', '=', accountId)
      .where('state', '=', 'INVITED')
      .returning('id')
      .executeTakeFirst();
    return updated !== undefined;
  },

  /**
   * Another password for an account that is active and still as it was read: hashing takes long enough for somebody to disable it or
   * to change the password meanwhile. Other mailed permissions to set one are void with it.
   */
  async replacePassword(tx: Tx, account: Pick<AccountRecord, 'id' | 'passwordHash'>, passwordHash: string, now: Date): Promise<boolean> {
    const updated = await tx
      .updateTable('account')
      .set((eb) => ({ password_hash: passwordHash, version: eb('version', '+', 1) }))
      .where('id', '=', account.id)
      .where('state', '=', 'ACTIVE')
      .where('password_hash', 'is not distinct from', account.passwordHash)
      .returning('id')
      .executeTakeFirst();
    await tx.updateTable('invitation').set({ used_at: now }).where('account_id', '=', account.id).where('used_at', 'is', null).execute();
    return updated !== undefined;
  },

  /** Whether the account still is what a password was checked against; locks it until the session stands. */
  async isUnchanged(tx: Tx, account: Pick<AccountRecord, 'id' | 'passwordHash'>): Promise<boolean> {
    const row = await tx
      .selectFrom('account')
      .select('id')
      .where('id', '=', account.id)
      .where('state', '=', 'ACTIVE')
      .where('password_hash', 'is not distinct from', account.passwordHash)
      .forShare()
      .executeTakeFirst();
    return row !== undefined;
  },
};
