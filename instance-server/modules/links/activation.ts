import type { Tx } from '../../platform/database/database.js';
import { couplingRepository as repository, type CouplingRow } from './coupling.repository.js';
import { identityOf, mintGlobalId, survivor } from './coupling.rules.js';
import { adoptGlobalId, isAnothers } from './global-id.js';

export class GlobalIdTaken extends Error {}

/**
 * A coupling is active once the guide has confirmed it in both houses: neither house's word replaces his own. Both sides decide from
 * the same two identities, so they arrive at the same global id whichever confirms first, or at once. Runs as worker, under the row's lock.
 * @throws GlobalIdTaken when the surviving id is another guide's here
 */
export async function activateIfConfirmed(tx: Tx, row: CouplingRow, now: Date): Promise<CouplingRow> {
  if (row.state !== 'ACCEPTED' || !row.confirmed_here || !row.confirmed_there || !row.guide_id) return row;
  const guide = await repository.identity(tx, row.guide_id);
  const own = identityOf(guide?.globalId, guide?.mintedAt);
  const partners = identityOf(row.partner_global_id, row.partner_global_id_minted_at);
  const surviving = survivor(own, partners) ?? mintGlobalId(row.id, now);
  if (await isAnothers(tx, row.guide_id, surviving.globalId)) throw new GlobalIdTaken();
  await adoptGlobalId(tx, row.guide_id, surviving);
  // The id came with a keeper of his claims, whom the partner will name; until then the partner is supposed to know best.
  if (surviving === partners && own?.globalId !== surviving.globalId && surviving.globalId !== mintGlobalId(row.id, now).globalId) {
    await repository.supposeKeeper(tx, row.guide_id, row.link_id);
  }
  return repository.update(tx, row.id, now, { state: 'ACTIVE', global_id: surviving.globalId, since: now });
}
