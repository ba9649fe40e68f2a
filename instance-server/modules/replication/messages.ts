import { z } from 'zod';

/**
 * At most this many items in one batch, and this many bytes of them. Each batch costs as much as some thirty records, and holds the rows
 * of its guides while it is applied: a tenth of a second for a full one.
 */
export const MAX_ITEMS = 400;
export const MAX_BATCH_BYTES = 160 * 1024;

const counter = z.int().min(0).max(2_147_483_647);
const positive = z.int().min(1).max(2_147_483_647);

/** `sync/deliver`: what changed at the sender. Items are checked one by one, so that a refusal names the one that cannot be taken. */
export const deliverMessage = z.strictObject({
  /** Of the sender; raised when it was restored from an older state. */
  incarnation: positive,
  /** Counts the sender's batches over this link; the same number and id until the batch is acknowledged. */
  number: positive,
  id: z.uuid(),
  items: z.array(z.unknown()).min(1).max(MAX_ITEMS),
  /** Whether nothing else waited for the receiver when this was read. */
  complete: z.boolean(),
});
export type DeliverMessage = z.infer<typeof deliverMessage>;

/** What every item has. */
export const itemHead = z.looseObject({ kind: z.string().max(16), couplingId: z.uuid(), recordId: z.uuid() });

export const deliverAnswer = z.object({
  number: positive,
  answers: z.array(z.tuple([z.int().min(0).max(MAX_ITEMS), z.unknown()])).max(MAX_ITEMS),
});

const place = z.int().min(0).max(MAX_ITEMS);
const reason = z.string().regex(/^[A-Z_]{1,64}$/);

/** Facts of `ITEM_REFUSED`: the first item that was refused, and others that were found with it. */
export const itemRefused = z.object({ item: place, reason, others: z.array(z.tuple([place, reason])).max(MAX_ITEMS).default([]) });

const batchName = z.strictObject({ number: counter, id: z.uuid().nullable() });

const seen = z.strictObject({ incarnation: counter, number: counter, id: z.uuid().nullable() });

/** What one side of a link knows of the exchange; `sync/heartbeat` says it both ways, as message and as answer. */
export const heartbeat = z.strictObject({
  /** Of the speaker as an origin. */
  incarnation: positive,
  /** What the speaker's program understands; one without heartbeats is 1. */
  release: positive,
  /** The batch sent last, and the greatest number acknowledged. */
  sent: batchName,
  acked: counter,
  /** The batch applied last, and the greatest incarnation of the other side heard of. */
  received: seen,
  /** Whether nothing waits at the speaker for the other side. */
  complete: z.boolean(),
  /** Whether the speaker has told the other side all its claims for which it has that side's word, since it knows its incarnation. */
  claimed: z.boolean().default(false),
});
export type Heartbeat = z.infer<typeof heartbeat>;

/** The same as an answer: a partner of a later release may say more, which is ignored. */
export const heartbeatAnswer = z.object({ ...heartbeat.shape, sent: z.object(batchName.shape), received: z.object(seen.shape) });

/** Facts of `INCARNATION_UNKNOWN`: what the receiver has seen of the sender. */
export const unknownIncarnation = z.object({ incarnation: counter, number: counter, id: z.uuid().nullable().catch(null) });

/** Understands everything of this file. */
export const RELEASE = 2;

/** Couplings whose digests go into one message. */
export const MAX_DIGESTS = 300;

/** `sync/digest`: what the sender, as origin, has of some couplings. Both read at a moment at which nothing was under way. */
export const digestMessage = z.strictObject({
  incarnation: positive,
  /** The batch acknowledged last. */
  number: counter,
  kind: z.string().max(16),
  /** Coupling and digest; empty for none. */
  digests: z.array(z.tuple([z.uuid(), z.string().max(64)])).max(MAX_DIGESTS),
});
export type DigestMessage = z.infer<typeof digestMessage>;

export const digestAnswer = z.object({
  /** False while the receiver knows of another batch than the one named: ask again. */
  comparable: z.boolean(),
  different: z.array(z.uuid()).max(MAX_DIGESTS),
  /** Where the receiver holds living records of an older incarnation, too. */
  older: z.array(z.uuid()).max(MAX_DIGESTS),
});

/** `sync/inventory`: what the receiver holds of one coupling of the sender's records, page by page. */
export const inventoryMessage = z.strictObject({ kind: z.string().max(16), couplingId: z.uuid(), older: z.boolean(), after: z.uuid().nullable() });
export type InventoryMessage = z.infer<typeof inventoryMessage>;

/** Empty when there is no more. */
export const inventoryAnswer = z.object({ records: z.array(z.unknown()).max(MAX_DIGESTS) });
