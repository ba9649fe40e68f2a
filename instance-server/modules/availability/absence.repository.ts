import type { Tx } from '../../platform/database/database.js';
import type { TimeRange } from '../../platform/time.js';
import type { GuideScope } from '../guides/index.js';
import { withinScope } from './availability.repository.js';
import type { Absence } from './availability.type.js';

/** SQL of absences as they are changed; callers hold the guide's row lock. */
export const absenceRepository = {
  async find(tx: Tx, scope: GuideScope, id: string): Promise<Absence | undefined> {
    const row = await tx.selectFrom('absence').select(['id', 'start_at', 'end_at', 'reason', 'version']).where('id', '=', id).where(withinScope(scope, 'guide_id')).executeTakeFirst();
    return row && { id: row.id, start: row.start_at, end: row.end_at, reason: row.reason, version: row.version };
  },

  async count(tx: Tx, guideId: string): Promise<number> {
    const { count } = await tx
      .selectFrom('absence')
      .select((eb) => eb.fn.countAll<string>().as('count'))
      .where('guide_id', '=', guideId)
      .executeTakeFirstOrThrow();
    return Number(count);
  },

  async insert(tx: Tx, absence: { id: string; guideId: string; range: TimeRange; reason: string | null; now: Date }): Promise<void> {
    await tx
      .insertInto('absence')
      .values({ id: absence.id, guide_id: absence.guideId, start_at: absence.range.start, end_at: absence.range.end, reason: absence.reason, created_at: absence.now })
      .execute();
  },

  async update(tx: Tx, id: string, { range, reason }: { range: TimeRange; reason: string | null }): Promise<void> {
    await tx
      .updateTable('absence')
      .set((eb) => ({ start_at: range.start, end_at: range.end, reason, version: eb('version', '+', 1) }))
      .where('id', '=', id)
      .execute();
  },

  async delete(tx: Tx, id: string): Promise<void> {
    await tx.deleteFrom('absence').where('id', '=', id).execute();
  },
};
