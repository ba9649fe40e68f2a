import type { Tx } from '../../platform/database/database.js';
import type { GlobalIdentity } from './coupling.rules.js';

/**
 * Gives a guide the surviving global id. One he had before stays as an alias, and his other couplings follow. Runs as worker: the
 * app role may not move identities.
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
  await tx.updateTable('coupling').set({ global_id: identity.globalId }).where('guide_id', '=', guideId).where('state', '=', 'ACTIVE').execute();
}
