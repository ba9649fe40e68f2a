import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { DB } from '../../entities.js';
import type { Tx } from '../../platform/database/database.js';
import { COPIED } from './outbox.repository.js';

export type PeerRow = Selectable<DB['sync_peer']>;

export interface Standing {
  incarnation: number;
  sentNumber: number;
  sentId: string | null;
  ackedNumber: number;
  receivedNumber: number;
  receivedId: string | null;
  partnerIncarnation: number;
  /** Nothing waits for the partner. */
  complete: boolean;
  /** No claim that the partner has granted waits to be told to him for the first time. */
  claimed: boolean;
}

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
    if (Object.keys(changes).length > 0) await tx.updateTable('sync_peer').set(changes).where('link_id', '=', linkId).execute();
  },

  /** Of the next batch. @throws where another replica has numbered one since `read`: both under one number would look like a lost memory */
  async number(tx: Tx, linkId: string, read: Pick<PeerRow, 'sent_number' | 'sent_id' | 'acked_number'>, next: { number: number; id: string }): Promise<void> {
    const changed = await tx
      .updateTable('sync_peer')
      .set({ sent_number: next.number, sent_id: next.id })
      .where('link_id', '=', linkId)
      .where('sent_number', '=', read.sent_number)
      .where('acked_number', '=', read.acked_number)
      .where('sent_id', 'is not distinct from', read.sent_id)
      .returning('link_id')
      .executeTakeFirst();
    if (!changed) throw new Error('another batch was numbered meanwhile');
  },

  /** What this side knows of the exchange; undefined for a link that is not in force. */
  async standing(tx: Tx, linkId: string): Promise<Standing | undefined> {
    const { rows } = await sql<Standing>`
      select y.incarnation, p.sent_number as "sentNumber", p.sent_id as "sentId", p.acked_number as "ackedNumber",
        p.received_number as "receivedNumber", p.received_id as "receivedId", p.partner_incarnation as "partnerIncarnation",
        not exists (select 1 from outbox o where o.link_id = p.link_id and o.kind = ${COPIED}) as complete,
        not exists (select 1 from outbox o join guide_assignment a on a.id = o.record_id
          where o.link_id = p.link_id and o.kind = 'CLAIM' and o.refused_code is null and o.retry_at is null and a.verification = 'VERIFIED') as claimed
      from sync_peer p cross join sync_state y where p.link_id = ${linkId}`.execute(tx);
    return rows[0];
  },

  /** Rows of the guides of active couplings, of one link or of all, in the order in which everybody locks them. */
  async lockGuides(tx: Tx, linkId?: string): Promise<void> {
    await sql`
      select 1 from guide
      where id in (select c.guide_id from coupling c where c.state = 'ACTIVE' and (${linkId ?? null}::uuid is null or c.link_id = ${linkId ?? null}::uuid))
      order by id for no key update`.execute(tx);
  },

  /** Rows of the guides of these couplings, in the same order. */
  async lockGuidesOf(tx: Tx, couplingIds: readonly string[]): Promise<void> {
    await sql`
      select 1 from guide where id in (select guide_id from coupling where id = any(${[...new Set(couplingIds)]}::uuid[]))
      order by id for no key update`.execute(tx);
  },

  /** Everything of active couplings waits again, of one link or of all. The guides are locked. */
  async fill(tx: Tx, linkId?: string, couplingId?: string): Promise<void> {
    await sql`
      select outbox_fill_coupling(c.id) from coupling c
      where c.state = 'ACTIVE' and (${linkId ?? null}::uuid is null or c.link_id = ${linkId ?? null}::uuid) and (${couplingId ?? null}::uuid is null or c.id = ${couplingId ?? null}::uuid)
      order by c.id`.execute(tx);
  },

  async incarnation(tx: Tx): Promise<number> {
    const row = await tx.selectFrom('sync_state').select('incarnation').where('id', '=', 1).executeTakeFirstOrThrow();
    return row.incarnation;
  },

  async raise(tx: Tx, incarnation: number): Promise<void> {
    await tx.updateTable('sync_state').set({ incarnation }).where('id', '=', 1).execute();
  },
};
