import { isLater, parseStamp } from '../../platform/stamps.js';

/** A value with the stamp of its last change. No two changes of one register have the same stamp. */
export interface Register<T = unknown> {
  readonly stamp: string;
  readonly value: T;
}

/** Registers of one record by name: the fields of a profile, or a rule's definition and holidays. */
export type Registers<T = unknown> = Readonly<Record<string, Register<T>>>;

/** What becomes of a value that came: it replaces the one held, it is the one held, or the one held is later. */
export type Verdict = 'WINS' | 'KNOWN' | 'LOSES';

/** The last writer wins. A register that was never written (no stamp, or an empty one) loses against any. */
export function verdict(held: string | undefined, came: string): Verdict {
  if (held === came) return 'KNOWN';
  return isLater(came, held ?? '') ? 'WINS' : 'LOSES';
}

/** Commutative, associative and idempotent: in whatever order and however often states are merged, the result is the same. */
export function merge<T>(held: Registers<T>, came: Registers<T>): Registers<T> {
  const winners = Object.entries(came).filter(([name, { stamp }]) => verdict(held[name]?.stamp, stamp) === 'WINS');
  return { ...held, ...Object.fromEntries(winners) };
}

/** The instance that made this change. */
export const giverOf = (stamp: string): string => parseStamp(stamp)?.code ?? '';

/**
 * What a house tells a partner: its own changes, and the partner's own, which he needs back after he was restored. What it received from
 * others is never passed on.
 */
export function toldTo<T>(registers: Registers<T>, own: string, partner: string): Registers<T> {
  return Object.fromEntries(Object.entries(registers).filter(([, { stamp }]) => [own, partner].includes(giverOf(stamp))));
}
