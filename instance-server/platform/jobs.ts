import { sql } from 'kysely';
import type { Tx } from './database/database.js';

/** Background tasks by name, with their payloads: ids only, never personal data. */
export interface JobPayloads {
  'send-invitation': { invitationId: string };
  'send-guide-request': { requestId: string };
}

/** Becomes due when the transaction commits. A second job with the same key replaces a waiting first one. */
export async function enqueue<T extends keyof JobPayloads>(tx: Tx, task: T, payload: JobPayloads[T], key: string): Promise<void> {
  await sql`select enqueue_job(${task}, ${JSON.stringify(payload)}::json, ${key})`.execute(tx);
}
