import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import { adoptGlobalId, identityOf, isAnothers, type KnownLink, survivor } from '../links/index.js';
import { ItemRefusal, type Receipt, type RecordName, type ReplicatedKind } from '../replication/index.js';
import { type KeeperItem, keeperItem } from './claim.messages.js';
import { claimRepository as repository } from './claim.repository.js';

/** How far a partner may raise the epoch at once: one without bound would be the last word for ever. */
const MAX_EPOCH_STEP = 1_000;

/**
 * Responsible for who keeps a guide's claims. Of two global ids the older survives, with its keeper; under one id the highest epoch
 * counts, of equal ones the smaller code. So all houses arrive at the same keeper, in whatever order they hear of changes.
 */
export class KeeperKind implements ReplicatedKind<KeeperItem> {
  readonly kind = 'KEEPER';
  readonly order = 0;
  readonly whilePaused = true;
  readonly schema = keeperItem;

  async project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<KeeperItem[]> {
    const { rows } = await sql<{ id: string; global_id: string; minted_at: Date; keeper: string; epoch: number }>`
      select k.id, g.global_id, g.global_id_minted_at as minted_at, g.claim_keeper as keeper, g.keeper_epoch as epoch
      from coupling k join guide g on g.id = k.guide_id
      where k.id = any(${records.map((record) => record.couplingId)}::uuid[]) and k.link_id = ${link.id} and k.state = 'ACTIVE'
        and g.global_id is not null and g.global_id_minted_at is not null and g.claim_keeper is not null and g.keeper_epoch > 0`.execute(tx);
    return rows.map((row) => ({
      kind: 'KEEPER',
      couplingId: row.id,
      recordId: row.id,
      globalId: row.global_id,
      mintedAt: row.minted_at.toISOString(),
      keeper: row.keeper,
      epoch: row.epoch,
    }));
  }

  async apply(tx: Tx, { link, now, couplings }: Receipt, items: readonly KeeperItem[]): Promise<undefined> {
    for (const [index, item] of items.entries()) {
      const guideId = couplings.get(item.couplingId)?.guideId ?? '';
      const own = await repository.keeperOf(tx, guideId);
      if (item.epoch > own.epoch + MAX_EPOCH_STEP) throw new ItemRefusal({ index, code: 'MALFORMED' });
      if (item.globalId === own.globalId) {
        const isLater = item.epoch > own.epoch || (item.epoch === own.epoch && item.keeper < (own.keeper ?? ''));
        if (isLater) await repository.setKeeper(tx, guideId, item.keeper, item.epoch, now);
        continue;
      }
      const named = { globalId: item.globalId, mintedAt: new Date(item.mintedAt) };
      const isOlder = survivor(identityOf(own.globalId, own.mintedAt), named) === named;
      if (!isOlder) {
        // The partner has not heard of the surviving id.
        await sql`select outbox_put(${link.id}, ${item.couplingId}, 'KEEPER', ${item.couplingId})`.execute(tx);
      } else if (!(await isAnothers(tx, guideId, item.globalId))) {
        await adoptGlobalId(tx, guideId, named);
        await repository.setKeeper(tx, guideId, item.keeper, item.epoch, now);
      }
    }
  }
}
