import type { z } from 'zod';
import type { Tx } from '../../platform/database/database.js';
import type { KnownLink } from './link.directory.js';

/** Stable codes of refusals; docs/protocol.md lists them. */
export type PartnerFailure =
  | 'UNAUTHENTICATED'
  | 'CLOCK_SKEWED'
  | 'REPLAYED'
  | 'UNKNOWN_ACTION'
  | 'MALFORMED'
  | 'LINK_NOT_OPEN'
  | 'NOT_FOUND'
  | 'NOT_PAIRWISE_LINKED'
  | 'GLOBAL_ID_TAKEN'
  | 'TOO_MANY_REQUESTS'
  | 'TOO_LARGE'
  | 'ITEM_REFUSED'
  | 'INCARNATION_UNKNOWN'
  | 'RESYNC_NEEDED';

/** Refuses a partner's call; nothing of it is applied. */
export class PartnerCallError extends Error {
  constructor(
    readonly status: number,
    readonly code: PartnerFailure,
    /** Further facts for the sender's program; never content. */
    readonly facts: Readonly<Record<string, string | number | readonly (readonly [number, string])[]>> = {},
  ) {
    super(code);
  }
}

/** One thing a partner may ask for. Applied as worker, in the transaction that also uses up the call's token. */
export interface PartnerAction {
  /** The whitelist, strict: members not named are refused. */
  schema: z.ZodType;
  /** Whether it is heard while the link is suspended. */
  whileSuspended?: boolean;
  /** Whether it is heard again, without effect, after the link has ended: the answer may have been lost. */
  afterEnd?: boolean;
  /** Whether it must be signed with the partner's newest key: one that was replaced must not bring another one in. */
  withNewestKey?: boolean;
  /**
   * Gives the answer's body; or a refusal that is told after what was written here is kept, which a thrown one undoes.
   * @throws PartnerCallError
   */
  apply(tx: Tx, link: KnownLink, message: unknown, now: Date): Promise<Record<string, unknown> | PartnerCallError>;
}

/** By the path under /partner/v1; each module that talks with partners gives its own. */
export type PartnerActions = ReadonlyMap<string, PartnerAction>;
