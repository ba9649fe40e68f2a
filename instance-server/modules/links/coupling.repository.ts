import type { Insertable, Selectable } from 'kysely';
import type { DB } from '../../entities.js';
import type { Tx } from '../../platform/database/database.js';

export type CouplingRow = Selectable<DB['coupling']>;

/** SQL of couplings. */
export const couplingRepository = {
  async find(tx: Tx, id: string): Promise<CouplingRow | undefined> {
    return tx.selectFrom('coupling').selectAll().where('id', '=', id).executeTakeFirst();
  },

  /** With its guide's row first: that is the written order, and who activates it must not miss an assignment made at that moment. */
  async lock(tx: Tx, id: string): Promise<CouplingRow | undefined> {
    await tx
      .selectFrom('guide')
      .select('id')
      .where('id', '=', (eb) => eb.selectFrom('coupling').select('coupling.guide_id').where('coupling.id', '=', id))
      .forNoKeyUpdate()
      .execute();
    return tx.selectFrom('coupling').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
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
