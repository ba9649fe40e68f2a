import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { DB } from '../../entities.js';
import type { Tx } from '../../platform/database/database.js';

export type PeerRow = Selectable<DB['sync_peer']>;

/** SQL of what is known of partners. */
export const peerRepository = {
  async find(tx: Tx, linkId: string): Promise<PeerRow | undefined> {
    return tx.selectFrom('sync_peer').selectAll().where('link_id', '=', linkId).executeTakeFirst();
  },

  /** After the locks of guides and couplings: the written order. */
  async lock(tx: Tx, linkId: string): Promise<PeerRow | undefined> {
    return tx.selectFrom('sync_peer').selectAll().where('link_id', '=', linkId).forUpdate().executeTakeFirst();
  },

  async update(tx: Tx, linkId: string, changes: Partial<Omit<PeerRow, 'link_id'>>): Promise<void> {
    await tx.updateTable('sync_peer').set(changes).where('link_id', '=', linkId).execute();
  },

  /** What this instance is as an origin. */
  async incarnation(tx: Tx): Promise<number> {
    const row = await tx.selectFrom('sync_state').select('incarnation').where('id', '=', 1).executeTakeFirstOrThrow();
    return row.incarnation;
  },

  /** Rows of these guides, in the order in which everybody locks them. */
  async lockGuides(tx: Tx, guideIds: readonly string[]): Promise<void> {
    await sql`select 1 from guide where id = any(${[...guideIds]}::uuid[]) order by id for no key update`.execute(tx);
  },
};
