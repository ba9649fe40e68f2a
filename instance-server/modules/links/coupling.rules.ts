import { newId } from '../../platform/crypto.js';

export interface GlobalIdentity {
  globalId: string;
  mintedAt: Date;
}

/** Marks ids that mean the same guide in every instance, so that none can be taken for a local one. */
export const mintGlobalId = (now: Date): GlobalIdentity => ({ globalId: `g_${newId()}`, mintedAt: now });

/**
 * Which of two global ids survives: the older; of equally old ones the smaller text, so that both sides decide alike.
 * Source: DOMAIN §2 "Coupling".
 */
export function survivor(a: GlobalIdentity | undefined, b: GlobalIdentity | undefined): GlobalIdentity | undefined {
  if (!a || !b) return a ?? b;
  const difference = a.mintedAt.getTime() - b.mintedAt.getTime();
  if (difference !== 0) return difference < 0 ? a : b;
  return a.globalId <= b.globalId ? a : b;
}

export const identityOf = (globalId: string | null | undefined, mintedAt: Date | null | undefined): GlobalIdentity | undefined =>
  globalId && mintedAt ? { globalId, mintedAt } : undefined;
