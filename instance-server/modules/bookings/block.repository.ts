import type { Tx } from '../../platform/database/database.js';
import type { TimeRange } from '../../platform/time.js';
import { GuideBlock } from './block.type.js';

interface BlockRow {
  id: string;
  guide_id: string;
  start_at: Date;
  end_at: Date;
  block_note: string | null;
  version: number;
}

const toBlock = (row: BlockRow): GuideBlock =>
  Object.assign(new GuideBlock(), { id: row.id, start: row.start_at, end: row.end_at, note: row.block_note, version: row.version, guideId: row.guide_id });

const select = (tx: Tx) => tx.selectFrom('guide_assignment').select(['id', 'guide_id', 'start_at', 'end_at', 'block_note', 'version']).where('kind', '=', 'BLOCK');

/** SQL of blocks: assignments without a booking. */
export const blockRepository = {
  async living(tx: Tx, id: string): Promise<GuideBlock | undefined> {
    const row = await select(tx).where('id', '=', id).where('ended_at', 'is', null).executeTakeFirst();
    return row && toBlock(row);
  },

  /** Also one that has ended since: what a repeated call tells of. */
  async find(tx: Tx, id: string): Promise<GuideBlock | undefined> {
    const row = await select(tx).where('id', '=', id).executeTakeFirst();
    return row && toBlock(row);
  },

  async ofGuides(tx: Tx, guideIds: readonly string[], { start, end }: TimeRange): Promise<GuideBlock[]> {
    const rows = await select(tx)
      .where('guide_id', 'in', [...guideIds])
      .where('ended_at', 'is', null)
      .where('start_at', '<', end)
      .where('end_at', '>', start)
      .orderBy('start_at')
      .orderBy('id')
      .execute();
    return rows.map(toBlock);
  },

  /** Its version is raised by whoever tells calendars of the change. */
  async writeNote(tx: Tx, id: string, note: string | null): Promise<void> {
    await tx.updateTable('guide_assignment').set({ block_note: note }).where('id', '=', id).execute();
  },
};
