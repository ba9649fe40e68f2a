export interface GlobalIdentity {
  globalId: string;
  mintedAt: Date;
}

/**
 * The first global id of a guide who had none in either house. It follows from the coupling, which both know: whoever of them mints
 * first, or if both do at once, it is the same. The prefix marks ids that mean the same guide in every instance.
 */
export const mintGlobalId = (couplingId: string, now: Date): GlobalIdentity => ({ globalId: `g_${couplingId}`, mintedAt: now });

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

/** What stands before the last blank is taken as first names: a proposal for a guide made from a request, which staff may overrule. */
export function namesOf(name: string): { firstName: string; lastName: string } {
  const words = name.trim().split(/\s+/);
  return { firstName: words.slice(0, -1).join(' '), lastName: words.at(-1) ?? '' };
}
