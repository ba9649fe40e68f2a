import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import type { Stamps } from '../../platform/stamps.js';
import type { BankData } from './bank-data.js';
import type { Guide } from './guide.type.js';

/** What every house of a guide may change and all of them share. Source: DOMAIN §2 "Synchronised". */
export const PROFILE_FIELDS = ['firstName', 'lastName', 'email', 'phone', 'languages', 'bankData'] as const;
export type ProfileField = (typeof PROFILE_FIELDS)[number];

export interface Profile {
  firstName: string;
  lastName: string;
  email: string | null;
  phone: string | null;
  languages: string[];
  bankData: BankData | null;
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** Fields of which one of the two says something else. */
export const changedFields = (before: Guide, after: Guide): ProfileField[] => PROFILE_FIELDS.filter((field) => !isSame(before[field], after[field]));

/** Fields in which something is said at all: an empty field of a new guide is no statement, and loses against any. */
export const saidFields = (profile: Partial<Profile>): ProfileField[] =>
  PROFILE_FIELDS.filter((field) => {
    const value = profile[field];
    return value !== null && value !== undefined && !((typeof value === 'string' || Array.isArray(value)) && value.length === 0);
  });

/** These fields were changed here and now. One stamp for one change. Callers hold the guide's row lock. */
export async function stampProfile(tx: Tx, stamps: Stamps, guideId: string, fields: readonly ProfileField[], now: Date): Promise<void> {
  if (fields.length === 0) return;
  const stamp = await stamps.next(tx, now);
  await sql`
    insert into profile_stamp (guide_id, field, stamp) select ${guideId}::uuid, field, ${stamp} from unnest(${[...fields]}::text[]) field
    on conflict (guide_id, field) do update set stamp = excluded.stamp`.execute(tx);
}
