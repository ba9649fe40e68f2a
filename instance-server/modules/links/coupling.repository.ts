import { type Insertable, type Selectable, sql } from 'kysely';
import type { DB } from '../../entities.js';
import type { Tx } from '../../platform/database/database.js';

export type CouplingRow = Selectable<DB['coupling']>;

/** SQL of couplings. */
export const couplingRepository = {
  async find(tx: Tx, id: string): Promise<CouplingRow | undefined> {
    return tx.selectFrom('coupling').selectAll().where('id', '=', id).executeTakeFirst();
  },

  /**
   * For a change: the guide's row first, then the coupling's, as everybody locks them who changes or receives what belongs to a guide.
   * A guide chosen while this waited is locked too.
   */
  async lock(tx: Tx, id: string): Promise<CouplingRow | undefined> {
    const before = await tx.selectFrom('coupling').select('guide_id').where('id', '=', id).executeTakeFirst();
    if (before?.guide_id) await this.lockGuides(tx, [before.guide_id]);
    return tx.selectFrom('coupling').selectAll().where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
  },

  async lockGuides(tx: Tx, guideIds: readonly string[]): Promise<void> {
    await tx.selectFrom('guide').select('id').where('id', 'in', [...guideIds]).orderBy('id').forNoKeyUpdate().execute();
  },

  /** Whether the link is in force, which it stays until the transaction has ended. */
  async lockLink(tx: Tx, linkId: string): Promise<boolean> {
    return (await tx.selectFrom('link').select('id').where('id', '=', linkId).where('state', '=', 'ACTIVE').forNoKeyUpdate().executeTakeFirst()) !== undefined;
  },

  async ofGuides(tx: Tx, guideIds: readonly string[]): Promise<CouplingRow[]> {
    return tx
      .selectFrom('coupling')
      .selectAll()
      .where('guide_id', 'in', [...guideIds])
      .where('state', 'not in', ['DECLINED', 'ENDED'])
      .orderBy('created_at')
      .orderBy('id')
      .execute();
  },

  /** Those that are over, last changed first, so many of each guide. */
  async overOfGuides(tx: Tx, guideIds: readonly string[], each: number): Promise<CouplingRow[]> {
    const { rows } = await sql<CouplingRow>`
      select c.* from unnest(${[...guideIds]}::uuid[]) as g(id) cross join lateral (
        select * from coupling where guide_id = g.id and state in ('DECLINED', 'ENDED') order by updated_at desc, id limit ${each}) c`.execute(tx);
    return rows;
  },

  /** Of one link, ended ones too, newest first; without those of which only the end was ever heard. */
  async ofLink(tx: Tx, linkId: string, limit: number): Promise<CouplingRow[]> {
    const isBuried = sql<boolean>`(state = 'DECLINED' and not requested_here and guide_id is null and version = 1)`;
    return tx.selectFrom('coupling').selectAll().where('link_id', '=', linkId).where((eb) => eb.not(isBuried)).orderBy('created_at', 'desc').orderBy('id').limit(limit).execute();
  },

  async living(tx: Tx, linkId: string): Promise<{ id: string; guide_id: string | null }[]> {
    return tx.selectFrom('coupling').select(['id', 'guide_id']).where('link_id', '=', linkId).where('state', 'not in', ['DECLINED', 'ENDED']).orderBy('id').execute();
  },

  async incarnation(tx: Tx): Promise<number> {
    const row = await tx.selectFrom('sync_state').select('incarnation').where('id', '=', 1).executeTakeFirstOrThrow();
    return row.incarnation;
  },

  async waiting(tx: Tx): Promise<CouplingRow[]> {
    return tx
      .selectFrom('coupling')
      .selectAll()
      .where('state', '=', 'REQUESTED')
      .where('requested_here', '=', false)
      .orderBy('created_at')
      .orderBy('id')
      .limit(500)
      .execute();
  },

  async countWaiting(tx: Tx, linkId: string): Promise<number> {
    const row = await tx
      .selectFrom('coupling')
      .select((eb) => eb.fn.countAll<string>().as('count'))
      .where('link_id', '=', linkId)
      .where('state', '=', 'REQUESTED')
      .where('requested_here', '=', false)
      .executeTakeFirstOrThrow();
    return Number(row.count);
  },

  async insert(tx: Tx, row: Insertable<DB['coupling']>): Promise<void> {
    await tx.insertInto('coupling').values(row).execute();
  },

  /** Asked for there, and over before anything of it came here: what comes late finds it so. False where something has come. */
  async bury(tx: Tx, id: string, linkId: string, now: Date): Promise<boolean> {
    const buried = await tx
      .insertInto('coupling')
      .values({ id, link_id: linkId, state: 'DECLINED', requested_here: false, created_at: now, updated_at: now })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .executeTakeFirst();
    return buried !== undefined;
  },

  async forgetBuried(tx: Tx, before: Date): Promise<void> {
    await sql`select forget_buried_couplings(${before})`.execute(tx);
  },

  /** The partner is to hear what this coupling is, or that there is none: from then on, or at once. */
  async tell(tx: Tx, linkId: string, couplingId: string, from?: Date): Promise<'NEW' | 'KNOWN' | 'CLOSED'> {
    const { rows } = await sql<{ told: 'NEW' | 'KNOWN' | 'CLOSED' }>`select coupling_to_tell(${linkId}::uuid, ${couplingId}::uuid, ${from ?? null}::timestamptz) as told`.execute(tx);
    return rows[0]?.told ?? 'CLOSED';
  },

  /** Unless there is such a coupling. */
  async tellNothing(tx: Tx, couplingId: string): Promise<void> {
    await sql`select coupling_not_to_tell(${couplingId}::uuid)`.execute(tx);
  },

  /** Rules made in these houses that the partner changed last are told to him again: he may be coupled there anew, and have lost them before. */
  async giveBackRules(tx: Tx, couplingId: string, origins: readonly string[]): Promise<void> {
    await sql`select give_back_rules(${couplingId}::uuid, ${[...origins]}::text[])`.execute(tx);
  },

  /** How the exchange over these links is going; see `link_health`. */
  async health(tx: Tx, linkIds: readonly string[], now: Date): Promise<Map<string, string>> {
    const { rows } = await sql<{ link_id: string; health: string }>`select link_id, health from link_health(${[...new Set(linkIds)]}::uuid[], ${now})`.execute(tx);
    return new Map(rows.map((row) => [row.link_id, row.health]));
  },

  async update(tx: Tx, id: string, now: Date, changes: Partial<Omit<CouplingRow, 'id' | 'version'>>): Promise<CouplingRow> {
    return tx
      .updateTable('coupling')
      .set((eb) => ({ ...changes, updated_at: now, version: eb('version', '+', 1) }))
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
  },

  /** The guide's global id here, and when it was minted. */
  async identity(tx: Tx, guideId: string): Promise<{ name: string; globalId: string | null; mintedAt: Date | null } | undefined> {
    const row = await tx
      .selectFrom('guide')
      .select(['first_name', 'last_name', 'global_id', 'global_id_minted_at'])
      .where('id', '=', guideId)
      .where('active', '=', true)
      .executeTakeFirst();
    return row && { name: `${row.first_name} ${row.last_name}`, globalId: row.global_id, mintedAt: row.global_id_minted_at };
  },

  /** Epoch 0: any house that knows is believed. */
  async supposeKeeper(tx: Tx, guideId: string, linkId: string): Promise<void> {
    await tx
      .updateTable('guide')
      .set((eb) => ({ claim_keeper: eb.selectFrom('link').select('partner_code').where('id', '=', linkId), keeper_epoch: 0 }))
      .where('id', '=', guideId)
      .execute();
  },

  /** Codes of the houses this guide is coupled with already. */
  async partnersOf(tx: Tx, guideId: string): Promise<string[]> {
    const rows = await tx
      .selectFrom('coupling')
      .innerJoin('link', 'link.id', 'coupling.link_id')
      .select('link.partner_code')
      .where('coupling.guide_id', '=', guideId)
      // Those on the way count too: two at once must not end up with houses that are not linked.
      .where('coupling.state', 'in', ['ACCEPTED', 'ACTIVE'])
      .execute();
    return rows.map((row) => row.partner_code);
  },
};
