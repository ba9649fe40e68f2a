import { z } from 'zod';

const instant = z.iso.datetime({ precision: 3 }).refine((text) => text >= '1970-01-01' && text < '2200-01-01');
const counter = z.int().min(1).max(2_147_483_647);
export const instanceCode = z.string().regex(/^[a-z0-9-]{1,32}$/);
export const globalId = z.string().regex(/^g_[0-9a-f-]{36}$/);

/** A claim as its holder has it now; without an interval it is released. */
const claimed = { recordId: z.uuid(), version: counter, start: instant.nullable(), end: instant.nullable() };
const isWhole = ({ start, end }: { start: string | null; end: string | null }): boolean =>
  start === null || end === null ? start === end : Date.parse(end) > Date.parse(start);

/** Of an assignment that does not exist at its holder, or no longer: later than any that was counted. */
export const ORPHAN_VERSION = 2_000_000_000;

/** `verified`: the holder has had the keeper's word for it. */
export const claimItem = z.strictObject({ kind: z.literal('CLAIM'), couplingId: z.uuid(), ...claimed, verified: z.literal(true).optional() }).refine(isWhole);
export type ClaimItem = z.infer<typeof claimItem>;

/**
 * What the keeper answers to a claim. STALE: he knows a later version, which he names. FORGOTTEN: he knows a later incarnation.
 * Members not named are ignored: the answer is not believed beyond these.
 */
export const claimAnswer = z.object({
  verdict: z.enum(['VERIFIED', 'CONFLICT', 'DISPUTED', 'RELEASED', 'NOT_KEEPER', 'STALE', 'FORGOTTEN']),
  version: counter.optional(),
});
export type ClaimAnswer = z.infer<typeof claimAnswer>;

/** The keeper says on his own what has become of a claim. */
export const verdictItem = z.strictObject({
  kind: z.literal('VERDICT'),
  couplingId: z.uuid(),
  recordId: z.uuid(),
  version: counter,
  verdict: z.enum(['VERIFIED', 'CONFLICT', 'DISPUTED']),
});
export type VerdictItem = z.infer<typeof verdictItem>;

/** Who keeps the claims of a guide, under which of his global ids. The record is the coupling itself. */
export const keeperItem = z.strictObject({
  kind: z.literal('KEEPER'),
  couplingId: z.uuid(),
  recordId: z.uuid(),
  globalId,
  mintedAt: z.iso.datetime({ precision: 3 }),
  keeper: instanceCode,
  epoch: counter,
});
export type KeeperItem = z.infer<typeof keeperItem>;

/** The guide says at the sender's that the receiver's assignment is none of his, or takes that back. */
export const disputeItem = z.strictObject({ kind: z.literal('DISPUTE'), couplingId: z.uuid(), recordId: z.uuid(), disputed: z.boolean() });
export type DisputeItem = z.infer<typeof disputeItem>;

/** Most claims in one message between houses. */
export const MAX_CLAIMS = 100;

/** `claims/claim`: asked before the holder commits. */
export const claimMessage = z.strictObject({ couplingId: z.uuid(), incarnation: counter, ...claimed }).refine(isWhole);
export type ClaimMessage = z.infer<typeof claimMessage>;

/** `claims/handover`: the keeper that leaves names his successor, and what he kept. */
export const handOverMessage = z.strictObject({
  couplingId: z.uuid(),
  globalId,
  epoch: counter,
  claims: z
    .array(z.strictObject({ holder: instanceCode, id: z.uuid(), incarnation: counter, version: counter, start: instant, end: instant }).refine(isWhole))
    .max(MAX_CLAIMS),
});
export type HandOverMessage = z.infer<typeof handOverMessage>;
export const handOverAnswer = z.object({ taken: z.boolean() });

/** `claims/inventory`: what the keeper holds of the receiver, by id; `after` where the page before ended, `last` on the last page. */
export const inventoryMessage = z.strictObject({
  couplingId: z.uuid(),
  after: z.uuid().nullable(),
  last: z.boolean(),
  claims: z.array(z.strictObject({ id: z.uuid(), incarnation: counter, version: counter })).max(MAX_CLAIMS),
});
export type InventoryMessage = z.infer<typeof inventoryMessage>;
