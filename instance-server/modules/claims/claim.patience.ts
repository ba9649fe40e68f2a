import { sql } from 'kysely';
import type { Database } from '../../platform/database/database.js';
import type { EventHub } from '../../platform/events/events.js';

/** How long a keeper's word is waited for. Less than a gateway waits for this house, which is to tell that it has none. */
export const SETTLE_MS = 1_500;

/** Between two looks at own assignments that wait for what other houses have claimed. */
const OWN_MS = 5_000;

/**
 * Responsible for assignments that nobody waits for in a request. Those that were there when their guide was coupled: after the same time
 * as a new one they are unverified, until the keeper answers. And those of guides whose claims are kept here that were put off: they are
 * claimed as soon as the other houses have told theirs, or are waited for no longer.
 */
export class ClaimPatience {
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  /** Own ones may be put off: by a process before this one, or by this one. */
  #own = true;

  constructor(
    private readonly database: Database,
    private readonly events: EventHub,
    /** Gives whether any is left. */
    private readonly claimOwn: () => Promise<boolean>,
  ) {}

  /** Woken by what is put into the outbox; what was pending before this process began is looked at first. */
  start(): void {
    this.#unlisten = this.events.listen((event) => {
      if (event.kind === 'outbox' || event.kind === 'gap') this.#lookLater(SETTLE_MS);
    });
    this.#lookLater(SETTLE_MS);
  }

  /** An own assignment was put off, and is committed; or another house has told all its claims. */
  lookAfterOwn(): void {
    this.#own = true;
    if (!this.#unlisten) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lookLater(0);
  }

  #lookLater(ms: number): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // After a fault it looks again.
      void this.#look().catch(() => this.#unlisten && this.#lookLater(OWN_MS));
    }, ms);
    this.#timer.unref();
  }

  /** Looks again later while anything is pending that is not late yet, or just being changed; or put off. */
  async #look(): Promise<void> {
    if (this.#own) {
      this.#own = false;
      // Whoever puts one off meanwhile says so.
      if (await this.claimOwn().catch(() => true)) this.#own = true;
    }
    const { rows } = await sql<{ left: boolean }>`
      with waiting as (
        select a.id, o.waiting_since < clock_timestamp() - make_interval(secs => ${SETTLE_MS / 1_000}) as late
        from outbox o join guide_assignment a on a.id = o.record_id
        where o.kind = 'CLAIM' and a.verification = 'PENDING' and a.ended_at is null
      ), late as (
        select id from guide_assignment where id in (select id from waiting where late) and verification = 'PENDING' for update skip locked
      ), lowered as (
        update guide_assignment a set verification = 'UNVERIFIED' from late where a.id = late.id
      )
      select exists (select 1 from waiting where id not in (select id from late)) as left`.execute(this.database.worker.sql);
    if (this.#unlisten && (rows[0]?.left || this.#own)) this.#lookLater(rows[0]?.left ? SETTLE_MS : OWN_MS);
  }

  stop(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
