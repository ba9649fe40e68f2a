import { setTimeout as pause } from 'node:timers/promises';
import { ExponentialBackoff, type IBackoff } from 'cockatiel';
import type { Logger } from 'pino';
import { ZodError } from 'zod';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import { databaseFault } from '../../platform/database/errors.js';
import type { EventHub } from '../../platform/events/events.js';
import { type LinkDirectory, PartnerCallError, PartnerRefusal } from '../links/index.js';
import type { Delivery } from './delivery.js';
import type { DrainLocks } from './drain-locks.js';
import type { Digests } from './digests.js';
import type { Heartbeats } from './heartbeats.js';
import { outboxRepository as outbox } from './outbox.repository.js';
import { peerRepository as peers } from './peer.repository.js';

const backoff = new ExponentialBackoff({ initialDelay: 200, maxDelay: 30_000 });

/** How often each partner is looked at without being asked: refused records become due by time, and heartbeats are. */
const TICK_MS = 1_000;

/** Names a failure for operators; what a partner or a driver says is not repeated. */
function codeOf(error: unknown): string {
  if (error instanceof PartnerRefusal) return error.code.replaceAll(/[^A-Z_]/g, '').slice(0, 64) || 'REFUSED';
  if (error instanceof ZodError || error instanceof PartnerCallError) return 'MALFORMED_ANSWER';
  return databaseFault(error) ? 'OWN_DATABASE' : 'UNREACHABLE';
}

/** The sending to one partner: one run at a time, its own patience. */
class Drain {
  #wanted = false;
  #running: Promise<void> | undefined;
  #waiting: AbortController | undefined;
  #patience: IBackoff<unknown> | undefined;
  #stopped = false;

  constructor(
    private readonly work: () => Promise<void>,
    private readonly failed: (error: unknown) => Promise<void>,
  ) {}

  /** While a partner that failed is left alone this waits too, unless it is to be `now`. */
  wake(now = false): void {
    this.#wanted = true;
    if (now) this.#waiting?.abort();
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // Woken between the last look and here.
      if (this.#wanted && !this.#stopped) this.wake();
    });
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        await this.work();
        this.#patience = undefined;
      } catch (error) {
        await this.failed(error);
        if (this.#stopped) return;
        this.#patience = this.#patience?.next(undefined) ?? backoff.next();
        this.#waiting = new AbortController();
        await pause(this.#patience.duration, undefined, { signal: this.#waiting.signal, ref: false }).catch(() => undefined);
        this.#waiting = undefined;
        this.#wanted = true;
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting?.abort();
    await this.#running;
  }
}

export interface DrainParts {
  database: Database;
  directory: LinkDirectory;
  delivery: Delivery;
  heartbeats: Heartbeats;
  digests: Digests;
  locks: DrainLocks;
  events: EventHub;
  clock: Clock;
  logger: Logger;
}

/**
 * Responsible for delivering what waits: a drain for each open link, woken by changes, by the sweep and by time. A partner that is slow
 * or dead delays no other; there is no last attempt.
 */
export class Drains {
  readonly #drains = new Map<string, Drain>();
  #tick: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  #stopped = false;

  constructor(private readonly parts: DrainParts) {}

  start(): void {
    this.#unlisten = this.parts.events.listen((event) => {
      if (event.kind === 'outbox') this.wake(event.linkId);
      if (event.kind === 'links' || event.kind === 'gap') void this.#linksChanged().catch(() => undefined);
    });
    this.#tick = setInterval(() => void this.#look().catch(() => undefined), Math.min(TICK_MS, this.parts.heartbeats.everyMs / 2));
    this.#tick.unref();
    void this.sweep().catch(() => undefined);
  }

  /** Heartbeats and comparisons that are due; whoever answers a heartbeat is delivered to. */
  async #look(): Promise<void> {
    await this.parts.directory.fresh();
    for (const link of this.parts.directory.open()) {
      if (this.parts.digests.isDue(link.id)) this.wake(link.id);
      if (!this.parts.heartbeats.isDue(link.id)) continue;
      void this.parts.heartbeats.beat(link).then(
        () => this.wake(link.id, true),
        (error: unknown) => this.#failed(link.id, error),
      );
    }
  }

  /** Something waits for this partner. `now`: he is believed to answer again, so do not wait any longer. */
  wake(linkId: string, now = false): void {
    if (this.#stopped) return;
    let drain = this.#drains.get(linkId);
    if (!drain) {
      drain = new Drain(
        () => this.#drain(linkId),
        (error) => this.#failed(linkId, error),
      );
      this.#drains.set(linkId, drain);
    }
    drain.wake(now);
  }

  /** Looks after every open link, whether or not anybody said that something waits. */
  async sweep(): Promise<void> {
    await this.parts.directory.fresh();
    for (const link of this.parts.directory.open()) this.wake(link.id);
  }

  /** Another state of a link or coupling: what was refused or waited for its sake is tried again. */
  async #linksChanged(): Promise<void> {
    await this.parts.directory.fresh();
    for (const link of this.parts.directory.open()) {
      await outbox.retry(this.parts.database.worker.sql, link.id, true);
      this.wake(link.id);
    }
  }

  async #drain(linkId: string): Promise<void> {
    await this.parts.directory.fresh();
    const link = this.parts.directory.byId(linkId);
    if (!link?.isOpen) return;
    // Nothing is delivered before both sides know whether one of them has forgotten something.
    if (!this.parts.heartbeats.mayDeliver(linkId)) await this.parts.heartbeats.beat(link);
    if (!this.parts.heartbeats.mayDeliver(linkId)) return;
    // Whoever commits while this is let go is heard of by its event, and looked for again.
    await this.parts.locks.within(linkId, async () => {
      while (!this.#stopped && (await this.parts.delivery.step(link)) === 'MORE');
      if (!this.#stopped && this.parts.digests.isDue(link.id)) await this.parts.digests.run(link);
    });
  }

  async #failed(linkId: string, error: unknown): Promise<void> {
    const code = codeOf(error);
    this.parts.logger.debug({ code, partner: this.parts.directory.byId(linkId)?.partnerCode }, 'a delivery failed; it is tried again');
    await peers.update(this.parts.database.worker.sql, linkId, { last_error: code, last_error_at: this.parts.clock.now() }).catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#tick);
    this.#unlisten?.();
    await Promise.all([...this.#drains.values()].map((drain) => drain.stop()));
    await this.parts.locks.close();
  }
}
