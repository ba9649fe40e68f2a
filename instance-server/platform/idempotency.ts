import type { Tx } from './database/database.js';
import { canonicalJson, sha256Hex } from './crypto.js';
import type { RequestContext } from './context.js';
import { IdempotencyKeyReusedError, InputReason, invalidInput, Refusal } from './errors/user-error.js';
import { hasControlCharacters } from './validation.js';

export const IDEMPOTENCY_DESCRIPTION =
  'Chosen by the client, new for every intent (a UUID is right). A repetition with the same key and input gives the same result and changes nothing; the same key with another input is refused. Kept 48 hours; 1…100 characters.';

/** @throws Refusal for what is no key. As it is, never trimmed: two keys are the same only if the client wrote the same. */
export function checkIdempotencyKey(key: string): void {
  if (key.length < 1 || key.length > 100) throw invalidInput('input.idempotencyKey', InputReason.OUT_OF_RANGE, 'An idempotency key has 1…100 characters.');
  if (hasControlCharacters(key)) throw invalidInput('input.idempotencyKey', InputReason.MALFORMED, 'An idempotency key has no control characters.');
}

/**
 * Runs `work` once per account, mutation and key. `work` returns the ids of what it made; they are stored in the same transaction.
 * A concurrent duplicate waits at the primary key until the first commits (then gets its ids) or rolls back (then does the work itself).
 * @throws Refusal when the key was used with another input.
 */
export async function once<T extends Record<string, unknown>>(
  ctx: RequestContext,
  tx: Tx,
  mutation: string,
  key: string,
  input: unknown,
  work: () => Promise<T>,
): Promise<{ outcome: T; repeated: boolean }> {
  checkIdempotencyKey(key);
  const accountId = ctx.account().accountId;
  const inputHash = sha256Hex(canonicalJson(input));
  const claimed = await tx
    .insertInto('idempotency_key')
    .values({ account_id: accountId, mutation, key, input_hash: inputHash, outcome: JSON.stringify({}) as never, created_at: ctx.now() })
    .onConflict((conflict) => conflict.columns(['account_id', 'mutation', 'key']).doNothing())
    .returning('key')
    .executeTakeFirst();
  if (!claimed) {
    const stored = await tx
      .selectFrom('idempotency_key')
      .select(['input_hash', 'outcome'])
      .where('account_id', '=', accountId)
      .where('mutation', '=', mutation)
      .where('key', '=', key)
      .executeTakeFirstOrThrow();
    if (stored.input_hash !== inputHash) throw new Refusal(new IdempotencyKeyReusedError());
    return { outcome: stored.outcome as T, repeated: true };
  }
  const outcome = await work();
  await tx
    .updateTable('idempotency_key')
    .set({ outcome: JSON.stringify(outcome) as never })
    .where('account_id', '=', accountId)
    .where('mutation', '=', mutation)
    .where('key', '=', key)
    .execute();
  return { outcome, repeated: false };
}
