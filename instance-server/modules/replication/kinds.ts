import type { z } from 'zod';
import type { Tx } from '../../platform/database/database.js';
import type { KnownLink } from '../links/index.js';

/** Names one waiting record. */
export interface RecordName {
  couplingId: string;
  recordId: string;
}

/** What an item of a batch always names, whatever its kind. */
export interface Item extends RecordName {
  kind: string;
}

/** A coupling that a batch names, as it stands under its lock. */
export interface ReceivingCoupling {
  id: string;
  /** Set for every active one. */
  guideId: string | null;
  state: string;
  paused: boolean;
}

/**
 * Where a batch comes from: the open link, the partner's incarnation and our time of receipt. The rows of the guides concerned are
 * locked, by id, and the couplings that the batch names after them.
 */
export interface Receipt {
  link: KnownLink;
  incarnation: number;
  now: Date;
  couplings: ReadonlyMap<string, ReceivingCoupling>;
}

/** One item of a batch and why it cannot be taken. `code` is stable and travels; nothing of the item's content does. */
export interface RefusedItem {
  index: number;
  code: 'COUPLING_UNKNOWN' | 'COUPLING_ENDED' | 'COUPLING_PAUSED' | 'CLOCK_AHEAD' | 'LIMIT_EXCEEDED' | 'MALFORMED' | 'NOT_YOURS' | 'LATER';
}

/** Items that cannot be taken, as many as were found; the batch is not applied at all, and the sender sends the others again without them. */
export class ItemRefusal extends Error {
  constructor(
    readonly first: RefusedItem,
    readonly others: readonly RefusedItem[] = [],
  ) {
    super(first.code);
  }

  /** @throws ItemRefusal where there is anything to refuse */
  static throwFor([first, ...others]: readonly RefusedItem[]): void {
    if (first) throw new ItemRefusal(first, others);
  }
}

/**
 * One kind of record that travels between houses. State, not events: `project` reads what the record is now, `apply` takes it if it is
 * newer than what is there. All methods run as the worker role, inside the caller's transaction.
 */
export interface ReplicatedKind<T extends Item = Item> {
  /** For kinds whose copies are compared with their origins from time to time. */
  readonly comparison?: Comparison;
  /** Stored in the outbox and written on the wire. */
  readonly kind: T['kind'];
  /** Lower ones are sent first within a batch. */
  readonly order: number;
  /** Whether it is sent and taken while the coupling is paused. */
  readonly whilePaused: boolean;
  /** Whether `apply` decides itself about couplings that are not active or not known; otherwise such items are refused before it. */
  readonly inAnyState?: boolean;
  /** The whitelist, strict: members not named are refused. */
  readonly schema: z.ZodType<T>;
  /** The whitelisted projections as they stand; a record that is not among them is not sent and stops waiting. */
  project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<T[]>;
  /**
   * Applies items of one batch, in their order, each at most once in effect. Gives one answer for each, or nothing.
   * @throws ItemRefusal with indexes within `items`
   */
  apply(tx: Tx, receipt: Receipt, items: readonly T[]): Promise<readonly unknown[] | undefined>;
  /**
   * What the partner answered, in the transaction that lets the records stop waiting and before anything else in it, so that guides can
   * be locked first. Called for every batch with items of this kind that were answered; the answers are not believed beyond their schema.
   */
  answered?(tx: Tx, link: KnownLink, answers: readonly { item: T; answer: unknown }[]): Promise<void>;
}

/**
 * How what a partner holds of one kind is compared with what its origin has, and made right. Both sides compute from the same facts;
 * the origin compares only where nothing waits and the partner has applied all that was ever sent.
 */
export interface Comparison {
  /** By coupling, for those that have living records: a text that is the same where both hold the same. */
  digests(tx: Tx, link: KnownLink, couplingIds: readonly string[], side: 'ORIGIN' | 'COPY'): Promise<ReadonlyMap<string, string>>;
  /** Couplings of the copy with living records that only an older incarnation of the origin knew, perhaps. */
  older(tx: Tx, link: KnownLink, couplingIds: readonly string[]): Promise<readonly string[]>;
  /** What the copy holds of one coupling, by record id, after the one given; of older incarnations or of the present one. */
  held(tx: Tx, link: KnownLink, couplingId: string, older: boolean, after: string | null): Promise<readonly HeldRecord[]>;
  readonly heldSchema: z.ZodType<HeldRecord>;
  /** At the origin, with the guide's row locked: what differs waits to be sent, and each kind says what becomes of records unknown here. Gives the number of repairs. */
  repair(tx: Tx, link: KnownLink, couplingId: string, held: readonly HeldRecord[], older: boolean, now: Date): Promise<number>;
}

export interface HeldRecord {
  recordId: string;
}

/** Every kind this instance knows; an item of another kind is refused as MALFORMED. */
export type ReplicatedKinds = ReadonlyMap<string, ReplicatedKind>;

/** Whether a batch tells of couplings themselves: then rows that were refused for a coupling's sake may be due. */
export const tellsOfCouplings = (kinds: ReplicatedKinds, items: readonly Item[]): boolean => items.some((item) => kinds.get(item.kind)?.inAnyState);

/** Each module's kinds, in the order in which they are sent and applied. */
export const kindsOf = (kinds: readonly ReplicatedKind[]): ReplicatedKinds =>
  new Map(kinds.toSorted((one, other) => one.order - other.order).map((kind) => [kind.kind, kind]));
