import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import { notFound } from '../../platform/errors/user-error.js';
import type { AuditService } from '../audit/index.js';
import type { KnownLink, LinkDirectory, PartnerClient } from '../links/index.js';
import type { Digests } from './digests.js';
import type { Drains } from './drains.js';
import { outboxRepository as outbox } from './outbox.repository.js';
import { peerRepository as peers } from './peer.repository.js';

/** How the exchange over one link is going; for operators. */
export interface SyncStatus {
  partner: string;
  /** ACTIVE, or SUSPENDED by either side. */
  state: string;
  /** Records that wait, and for how long the oldest has. */
  backlog: number;
  oldestWaitingSeconds: number | null;
  /** Those among them that the partner did not take, by kind and reason. */
  refused: number;
  refusals: { kind: string; code: string; count: number }[];
  /** When the partner was last spoken with, and when the copy of what he has was last known to be complete. */
  lastContactAt: Date | null;
  completeAt: Date | null;
  lastError: string | null;
  lastErrorAt: Date | null;
  lastDigestAt: Date | null;
  lastDigestResult: string | null;
  /** Bookings that this house lost in a restore, that the partner still holds, and that staff have not let go. */
  lostBookings: number;
  incarnation: number;
  partnerIncarnation: number;
  partnerRelease: string | null;
  /** His clock and ours differ too much: what he or we say is not believed until one is set right. */
  clockAlarm: boolean;
}

/** One coupling in figures; nothing of a booking's content. */
export interface CouplingInspection {
  couplingId: string;
  guideId: string | null;
  state: string;
  paused: boolean;
  waiting: number;
  refused: number;
  livingCopies: number;
  endedCopies: number;
  lastReceivedAt: Date | null;
}

export interface Inspection {
  couplings: CouplingInspection[];
  /** Of one coupling or guide alone. */
  waiting?: { couplingId: string; kind: string; recordId: string; waitingSince: Date; attempts: number; refusedCode: string | null; retryAt: Date | null }[];
  copies?: { couplingId: string; recordId: string; incarnation: number; version: number; start: Date; end: Date; kind: string; ended: boolean; disputed: boolean; receivedAt: Date }[];
}

/** What waits for a partner after it was to be sent. SUSPENDED or PROPOSED: it rests until the link is in force. */
export interface Waiting {
  partner: string;
  state: 'ACTIVE' | 'SUSPENDED' | 'PROPOSED';
  waiting: number;
}

const ACTOR = { kind: 'OPERATOR' } as const;
const MOST = 500;

/** Responsible for what operators see of the exchange with partners, and may do about it. */
export class SyncService {
  constructor(
    private readonly database: Database,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
    private readonly drains: Drains,
    private readonly digests: Digests,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  async status(): Promise<SyncStatus[]> {
    const { rows } = await sql<SyncStatus>`
      select l.partner_code as partner, case when l.suspended_here or l.suspended_there then 'SUSPENDED' else l.state end as state,
        coalesce(w.backlog, 0)::int as backlog, extract(epoch from ${this.clock.now()}::timestamptz - w.oldest)::int as "oldestWaitingSeconds",
        coalesce(w.refused, 0)::int as refused,
        coalesce((select jsonb_agg(jsonb_build_object('kind', r.kind, 'code', r.refused_code, 'count', r.count) order by r.kind, r.refused_code)
          from (select kind, refused_code, count(*) from outbox where link_id = l.id and refused_code is not null group by 1, 2) r), '[]') as refusals,
        p.last_contact_at as "lastContactAt", p.complete_at as "completeAt", p.last_error as "lastError", p.last_error_at as "lastErrorAt",
        p.last_digest_at as "lastDigestAt", p.last_digest_result as "lastDigestResult",
        (select count(*)::int from lost_booking b join coupling c on c.id = b.coupling_id where c.link_id = l.id and b.released_at is null) as "lostBookings",
        y.incarnation, p.partner_incarnation as "partnerIncarnation", p.partner_release as "partnerRelease",
        (p.last_error = 'CLOCK_SKEWED' and p.last_error_at > coalesce(p.last_contact_at, '-infinity'))
          or exists (select 1 from outbox o where o.link_id = l.id and o.refused_code = 'CLOCK_AHEAD') is true as "clockAlarm"
      from link l join sync_peer p on p.link_id = l.id cross join sync_state y
      left join lateral (
        select count(*) as backlog, min(waiting_since) as oldest, count(refused_code) as refused from outbox o where o.link_id = l.id
      ) w on true
      where l.state = 'ACTIVE' order by l.partner_code`.execute(this.database.worker.sql);
    return rows.map((row) => Object.assign(row, { clockAlarm: row.clockAlarm ?? false }));
  }

  /** Tries at once what waits or was refused. */
  async retry(partnerCode: string): Promise<Waiting> {
    const link = await this.#link(partnerCode);
    await outbox.retry(this.database.worker.sql, link.id);
    this.partners.forget(link);
    this.drains.wake(link.id, true);
    return this.#waiting(link);
  }

  /** Everything goes to the partner again, and is compared then. What he holds already has no second effect there. */
  async resync(partnerCode: string): Promise<Waiting> {
    const link = await this.#link(partnerCode);
    await this.database.worker.transaction(async (tx) => {
      await peers.lockGuides(tx, link.id);
      await peers.fill(tx, link.id);
      await this.audit.record(tx, ACTOR, this.clock.now(), { action: 'link.resynchronised', subjectType: 'link', subjectId: link.id, after: { partnerCode } });
    });
    this.digests.want(link.id);
    this.drains.wake(link.id, true);
    return this.#waiting(link);
  }

  async inspect(partnerCode: string, of: { couplingId?: string | undefined; guideId?: string | undefined }): Promise<Inspection> {
    const link = await this.#link(partnerCode);
    const [couplingId, guideId] = [of.couplingId ?? null, of.guideId ?? null];
    const worker = this.database.worker.sql;
    const { rows: couplings } = await sql<CouplingInspection>`
      select c.id as "couplingId", c.guide_id as "guideId", c.state, c.paused_here or c.paused_there as paused,
        (select count(*)::int from outbox o where o.coupling_id = c.id) as waiting,
        (select count(*)::int from outbox o where o.coupling_id = c.id and o.refused_code is not null) as refused,
        count(f.id) filter (where not f.ended)::int as "livingCopies", count(f.id) filter (where f.ended)::int as "endedCopies", max(f.received_at) as "lastReceivedAt"
      from coupling c left join foreign_booking f on f.coupling_id = c.id
      where c.link_id = ${link.id} and (${couplingId}::uuid is null or c.id = ${couplingId}::uuid) and (${guideId}::uuid is null or c.guide_id = ${guideId}::uuid)
      group by c.id order by c.created_at, c.id limit ${MOST}`.execute(worker);
    if (!couplingId && !guideId) return { couplings };
    if (couplings.length === 0) throw notFound(couplingId ? 'couplingId' : 'guideId');
    const ids = couplings.map((coupling) => coupling.couplingId);
    const { rows: waiting } = await sql<NonNullable<Inspection['waiting']>[number]>`
      select coupling_id as "couplingId", kind, record_id as "recordId", waiting_since as "waitingSince", attempts, refused_code as "refusedCode", retry_at as "retryAt"
      from outbox where coupling_id = any(${ids}::uuid[]) order by seq limit ${MOST}`.execute(worker);
    const { rows: copies } = await sql<NonNullable<Inspection['copies']>[number]>`
      select coupling_id as "couplingId", id as "recordId", incarnation, version, start_at as start, end_at as "end", kind, ended, disputed_at is not null as disputed, received_at as "receivedAt"
      from foreign_booking where coupling_id = any(${ids}::uuid[]) order by start_at, id limit ${MOST}`.execute(worker);
    return { couplings, waiting, copies };
  }

  async #waiting({ id, partnerCode, isOpen, state }: KnownLink): Promise<Waiting> {
    const { rows } = await sql<{ waiting: number }>`select count(*)::int as waiting from outbox where link_id = ${id}`.execute(this.database.worker.sql);
    const rests = state === 'ACTIVE' ? 'SUSPENDED' : 'PROPOSED';
    return { partner: partnerCode, state: isOpen ? 'ACTIVE' : rests, waiting: rows[0]?.waiting ?? 0 };
  }

  async #link(partnerCode: string): Promise<KnownLink> {
    await this.directory.fresh();
    const link = this.directory.byPartner(partnerCode);
    if (!link) throw notFound('partner');
    return link;
  }
}
