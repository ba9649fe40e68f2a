import { sql } from 'kysely';
import type { Database } from '../../platform/database/database.js';
import type { EventHub } from '../../platform/events/events.js';

/** How long an assignment is pending before it shows that its keeper could not be asked. */
export const SETTLE_MS = 1_500;

/**
 * Responsible for assignments that nobody waits for in a request, such as those that were there when their guide was coupled: after the
 * same time as a new one they are unverified, until the keeper answers.
 */
export class ClaimPatience {
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;

  constructor(
    private readonly database: Database,
    private readonly events: EventHub,
  ) {}

  /** Woken by what is put into the outbox; what was pending before this process began is looked at first. */
  start(): void {
    this.#unlisten = this.events.listen((event) => {
      if (event.kind === 'outbox' || event.kind === 'gap') this.#lookLater();
    });
    this.#lookLater();
  }

  #lookLater(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#look().then(
        (isAnyLeft) => isAnyLeft && this.#unlisten && this.#lookLater(),
        // The next event looks again.
        () => undefined,
      );
    }, SETTLE_MS);
    this.#timer.unref();
  }

  /** Gives whether any is pending that is not late yet. */
  async #look(): Promise<boolean> {
    const { rows } = await sql<{ left: boolean }>`
      with waiting as (
        select a.id, o.waiting_since < clock_timestamp() - make_interval(secs => ${SETTLE_MS / 1_000}) as late
        from outbox o join guide_assignment a on a.id = o.record_id
        where o.kind = 'CLAIM' and a.verification = 'PENDING' and a.ended_at is null
      ), lowered as (
        update guide_assignment a set verification = 'UNVERIFIED' from waiting w where w.late and a.id = w.id and a.verification = 'PENDING'
      )
      select coalesce(bool_or(not late), false) as left from waiting`.execute(this.database.worker.sql);
    return rows[0]?.left ?? false;
  }

  stop(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
