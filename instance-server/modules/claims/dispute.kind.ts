import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import type { AuditService } from '../audit/index.js';
import type { KnownLink } from '../links/index.js';
import type { Receipt, RecordName, ReplicatedKind } from '../replication/index.js';
import { type DisputeItem, disputeItem } from './claim.messages.js';

/** Responsible for telling the origin that the guide disputes an assignment of its, and for listing those of ours that he disputes. */
export class DisputeKind implements ReplicatedKind<DisputeItem> {
  readonly kind = 'DISPUTE';
  readonly order = 4;
  readonly whilePaused = true;
  readonly schema = disputeItem;

  constructor(private readonly audit: AuditService) {}

  async project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<DisputeItem[]> {
    const { rows } = await sql<{ coupling_id: string; id: string; disputed: boolean }>`
      select f.coupling_id, f.id, f.disputed_at is not null as disputed
      from unnest(${records.map((record) => record.couplingId)}::uuid[], ${records.map((record) => record.recordId)}::uuid[]) as r(coupling_id, id)
      join foreign_booking f on f.coupling_id = r.coupling_id and f.id = r.id and f.link_id = ${link.id} and not f.ended`.execute(tx);
    return rows.map((row) => ({ kind: 'DISPUTE', couplingId: row.coupling_id, recordId: row.id, disputed: row.disputed }));
  }

  /** Of the coupled guide's own assignments alone; another id has no effect. The action log does not say which house it came from. */
  async apply(tx: Tx, { couplings, now }: Receipt, items: readonly DisputeItem[]): Promise<undefined> {
    for (const { couplingId, recordId, disputed } of items) {
      const guideId = couplings.get(couplingId)?.guideId ?? '';
      const { rows } = await (disputed
        ? sql`
            insert into assignment_dispute (coupling_id, assignment_id, disputed_at)
            select ${couplingId}, a.id, ${now} from guide_assignment a where a.id = ${recordId} and a.guide_id = ${guideId} and a.ended_at is null
            on conflict do nothing returning assignment_id`
        : sql`delete from assignment_dispute where coupling_id = ${couplingId} and assignment_id = ${recordId} returning assignment_id`
      ).execute(tx);
      if (rows.length === 0) continue;
      await this.audit.record(tx, { kind: 'SYSTEM' }, now, {
        action: disputed ? 'assignment.disputed' : 'assignment.dispute-withdrawn',
        subjectType: 'assignment',
        subjectId: recordId,
        after: { guideId },
      });
    }
  }
}
