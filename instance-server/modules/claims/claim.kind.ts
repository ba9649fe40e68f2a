import { sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import { type InstanceEvent, publishAll } from '../../platform/events/events.js';
import type { KnownLink } from '../links/index.js';
import type { Receipt, RecordName, ReplicatedKind } from '../replication/index.js';
import type { ClaimDesk } from './claim.desk.js';
import { type ClaimAnswer, claimAnswer, type ClaimItem, claimItem, ORPHAN_VERSION } from './claim.messages.js';
import { claimRepository as repository } from './claim.repository.js';

/** What each answer makes of the assignment; the others leave it as it is. */
const VERIFICATION: Partial<Record<ClaimAnswer['verdict'], string>> = {
  VERIFIED: 'VERIFIED',
  CONFLICT: 'CONFLICT',
  DISPUTED: 'CONFLICT',
  NOT_KEEPER: 'UNVERIFIED',
};

export const verificationEvents = (assignmentIds: readonly string[]): InstanceEvent[] =>
  assignmentIds.map((assignmentId) => ({ kind: 'verification', assignmentId }));

interface OwnAssignment {
  coupling_id: string;
  id: string;
  claim_version: number | null;
  start_at: Date | null;
  end_at: Date | null;
  ended: boolean;
  kept_there: boolean;
  verified: boolean;
}

/**
 * Responsible for claims on their way to the keeper: when, and nothing of what. They go on while a coupling is paused, since a pause must
 * not let a guide be booked twice.
 */
export class ClaimKind implements ReplicatedKind<ClaimItem> {
  readonly kind = 'CLAIM';
  readonly order = 1;
  readonly whilePaused = true;
  readonly schema = claimItem;

  constructor(private readonly desk: ClaimDesk) {}

  /** An end releases. So does an id without an assignment: its transaction was undone after it had been claimed. */
  async project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<ClaimItem[]> {
    const { rows } = await sql<OwnAssignment>`
      select k.id as coupling_id, r.id, a.claim_version, a.start_at, a.end_at, a.id is null or a.ended_at is not null as ended,
        g.claim_keeper = ${link.partnerCode} as kept_there, a.ended_at is null and a.verification = 'VERIFIED' as verified
      from unnest(${records.map((record) => record.couplingId)}::uuid[], ${records.map((record) => record.recordId)}::uuid[]) as r(coupling_id, id)
      join coupling k on k.id = r.coupling_id and k.state = 'ACTIVE' and k.link_id = ${link.id}
      join guide g on g.id = k.guide_id
      left join guide_assignment a on a.id = r.id and a.guide_id = g.id`.execute(tx);
    return rows
      .filter((row) => row.ended || row.kept_there)
      .map((row) => ({
        kind: 'CLAIM',
        couplingId: row.coupling_id,
        recordId: row.id,
        version: row.claim_version ?? ORPHAN_VERSION,
        start: row.ended ? null : (row.start_at?.toISOString() ?? null),
        end: row.ended ? null : (row.end_at?.toISOString() ?? null),
        verified: row.verified ? true : undefined,
      }));
  }

  apply(tx: Tx, { link, incarnation, now, couplings }: Receipt, items: readonly ClaimItem[]): Promise<ClaimAnswer[]> {
    const claims = items.map(({ couplingId, recordId, version, start, end, verified }) => ({
      guideId: couplings.get(couplingId)?.guideId ?? '',
      id: recordId,
      incarnation,
      version,
      start: start === null ? null : new Date(start),
      end: end === null ? null : new Date(end),
      isGranted: verified === true,
    }));
    return this.desk.decide(tx, link, claims, now);
  }

  async answered(tx: Tx, link: KnownLink, answers: readonly { item: ClaimItem; answer: unknown }[]): Promise<void> {
    const understood = answers.flatMap(({ item, answer }) => {
      const parsed = claimAnswer.safeParse(answer);
      return parsed.success ? [{ item, ...parsed.data }] : [];
    });
    const { rows } = await sql<{ guide_id: string }>`
      select guide_id from coupling where id = any(${understood.map(({ item }) => item.couplingId)}::uuid[]) and guide_id is not null`.execute(tx);
    await repository.lockGuides(tx, rows.map((row) => row.guide_id));
    const verdicts = understood.flatMap(({ item, verdict }) => {
      const verification = VERIFICATION[verdict];
      return verification ? [{ id: item.recordId, version: item.version, couplingId: item.couplingId, verification }] : [];
    });
    await publishAll(tx, verificationEvents(await repository.verified(tx, link.partnerCode, verdicts)));
    for (const { item, verdict, version } of understood) {
      if (verdict === 'STALE' && version !== undefined) await repository.outrun(tx, item.recordId, version);
    }
  }
}
