import { z } from 'zod';
import { isTooFarAhead, parseStamp } from '../../platform/stamps.js';
import { ItemRefusal, type Receipt } from '../replication/index.js';
import { giverOf } from './registers.js';

export const stamp = z.string().max(64).refine((text) => parseStamp(text) !== undefined);

/**
 * A partner speaks for itself, and gives us back what is ours; and nobody's clock may be so far ahead that its changes would win over
 * everybody's until then.
 */
export function checkStamps(stamps: readonly string[], index: number, { link, now }: Receipt, own: string): void {
  if (stamps.some((given) => ![link.partnerCode, own].includes(giverOf(given)))) throw new ItemRefusal({ index, code: 'NOT_YOURS' });
  if (stamps.some((given) => isTooFarAhead(given, now))) throw new ItemRefusal({ index, code: 'CLOCK_AHEAD' });
}

/** The latest of them, or an empty text. */
export const latest = (stamps: readonly string[]): string => stamps.reduce((one, other) => (other > one ? other : one), '');
