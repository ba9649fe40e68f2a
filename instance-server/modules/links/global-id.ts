import type { Tx } from '../../platform/database/database.js';
import type { GlobalIdentity } from './coupling.rules.js';

/**
 * Whether this global id is, or was, another guide's here. A partner's word must not make two people of this house one.
 */
export async function isAnothers(tx: Tx, guideId: string, globalId: string): Promise<boolean> {
  const guide = await tx.selectFrom('guide').select('id').where('global_id', '=', globalId).where('id', '<>', guideId).executeTakeFirst();
  if (guide) return true;
  const alias = await tx.selectFrom('guide_alias').select('guide_id').where('global_id', '=', globalId).where('guide_id', '<>', guideId).executeTakeFirst();
  return alias !== undefined;
}

/**
 * Gives a guide the surviving global id. One he had before stays as an alias; his other couplings keep the id that both their sides
 * know, since the partners there have not heard of this one. Runs as worker: the app role may not move identities.
 */
export async function adoptGlobalId(tx: Tx, guideId: string, identity: GlobalIdentity): Promise<void> {
  const before = await tx.selectFrom('guide').select('global_id').where('id', '=', guideId).executeTakeFirst();
  if (before?.global_id === identity.globalId) return;
  if (before?.global_id) {
    await tx
      .insertInto('guide_alias')
      .values({ global_id: before.global_id, guide_id: guideId })
      .onConflict((conflict) => conflict.column('global_id').doNothing())
      .execute();
  }
  await tx.updateTable('guide').set({ global_id: identity.globalId, global_id_minted_at: identity.mintedAt }).where('id', '=', guideId).execute();
}
