import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import { publishAll } from '../../platform/events/events.js';
import type { KnownLink } from '../links/index.js';
import type { Receipt, RecordName, ReplicatedKind } from '../replication/index.js';
import { verificationEvents } from './claim.kind.js';
import { type VerdictItem, verdictItem } from './claim.messages.js';
import { claimRepository as repository } from './claim.repository.js';

/** Responsible for what the keeper says unasked: a claim in conflict got its time after all, or the guide disputes one. */
export class VerdictKind implements ReplicatedKind<VerdictItem> {
  readonly kind = 'VERDICT';
  readonly order = 1;
  readonly whilePaused = true;
  readonly schema = verdictItem;

  constructor(private readonly instanceCode: string) {}

  async project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<VerdictItem[]> {
    const { rows } = await sql<{ coupling_id: string; id: string; version: number; state: VerdictItem['verdict'] }>`
      select k.id as coupling_id, c.id, c.version, c.state
      from unnest(${records.map((record) => record.couplingId)}::uuid[], ${records.map((record) => record.recordId)}::uuid[]) as r(coupling_id, id)
      join coupling k on k.id = r.coupling_id and k.state = 'ACTIVE' and k.link_id = ${link.id}
      join guide g on g.id = k.guide_id and g.claim_keeper = ${this.instanceCode}
      join claim c on c.id = r.id and c.holder = ${link.partnerCode} and c.guide_id = g.id and c.state <> 'RELEASED'`.execute(tx);
    return rows.map((row) => ({ kind: 'VERDICT', couplingId: row.coupling_id, recordId: row.id, version: row.version, verdict: row.state }));
  }

  /** Of own assignments of the coupled guide alone, and only from the house that keeps his claims. */
  async apply(tx: Tx, { link }: Receipt, items: readonly VerdictItem[]): Promise<undefined> {
    const verdicts = items.map(({ recordId, couplingId, version, verdict }) => ({
      id: recordId,
      version,
      couplingId,
      verification: verdict === 'VERIFIED' ? 'VERIFIED' : 'CONFLICT',
    }));
    await publishAll(tx, verificationEvents(await repository.verified(tx, link.partnerCode, verdicts)));
  }
}
