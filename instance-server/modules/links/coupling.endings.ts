import type { Tx } from '../../platform/database/database.js';
import { publish } from '../../platform/events/events.js';
import type { Actor, AuditService } from '../audit/index.js';
import { couplingRepository as repository, type CouplingRow } from './coupling.repository.js';
import type { KnownLink } from './link.directory.js';

/** What others do before a coupling ends, in its transaction, as worker: a keeper names its successor. */
export type BeforeEnd = (tx: Tx, couplingId: string, actor: Actor) => Promise<void>;
/** And after the commit of an end that was wanted here, as far as it can be done at once: the claims are handed over. */
export type AfterEnd = (guideId?: string) => Promise<void>;

export const isOver = (row: CouplingRow): boolean => row.state === 'DECLINED' || row.state === 'ENDED';

/**
 * Responsible for the end of couplings, whoever wants it: the guide, staff of either house, an operator, the partner, the end of a link.
 * What was received goes with it and the partner's notice is written, by triggers of the database; the id stays for good, so that nothing
 * late revives it. What was ever agreed on a profile stays. Runs as worker.
 */
export class CouplingEndings {
  constructor(
    private readonly audit: AuditService,
    private readonly beforeEnd: BeforeEnd,
    private readonly afterEnd: AfterEnd,
  ) {}

  /** The row is locked and its guide's before it. A coupling that is over stays as it is. */
  async end(tx: Tx, row: CouplingRow, link: KnownLink, actor: Actor, now: Date): Promise<CouplingRow> {
    if (isOver(row)) return row;
    const wasActive = row.state === 'ACTIVE';
    if (wasActive) await this.beforeEnd(tx, row.id, actor);
    const ended = await repository.update(tx, row.id, now, { state: wasActive ? 'ENDED' : 'DECLINED', requested_name: null });
    await this.audit.record(tx, actor, now, {
      action: wasActive ? 'coupling.ended' : 'coupling.declined',
      subjectType: 'coupling',
      subjectId: row.id,
      after: { instance: link.partnerCode },
    });
    await publish(tx, { kind: 'links' });
    return ended;
  }

  /** Of one guide or of all. Never fails: what could not be done now is done by time. */
  async ended(guideId?: string): Promise<void> {
    await this.afterEnd(guideId).catch(() => undefined);
  }

  /** With a link its couplings end. */
  async endAllOf(tx: Tx, link: KnownLink, actor: Actor, now: Date): Promise<void> {
    const living = await repository.living(tx, link.id);
    const guides = living.flatMap(({ guide_id }) => guide_id ?? []);
    if (guides.length > 0) await repository.lockGuides(tx, guides);
    for (const { id } of living) {
      const row = await repository.lock(tx, id);
      if (row) await this.end(tx, row, link, actor, now);
    }
  }
}
