import type { RequestContext } from '../../platform/context.js';
import type { Tx } from '../../platform/database/database.js';

/** An assignment as it stands after it was written, with what the database says of its claim. */
export interface AssignedInterval {
  id: string;
  guideId: string;
  start: Date;
  end: Date;
  verification: string;
  claimVersion: number;
}

/**
 * How bookings hear whether a guide can be counted on in all houses that share him. What is claimed, and from whom, is none of their
 * business.
 */
export interface ClaimGate {
  /** Before an interval is written. */
  announce(ctx: RequestContext, guideId: string, assignmentId: string): Promise<void>;
  /** After it was, in the same transaction. @throws Refusal when it must not stand */
  assigned(ctx: RequestContext, tx: Tx, assignment: AssignedInterval): Promise<void>;
  /** After the request's transactions: waits a moment for the answers to what was committed. */
  settled(ctx: RequestContext, committed: boolean): Promise<void>;
}
