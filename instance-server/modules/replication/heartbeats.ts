import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import { type KnownLink, type PartnerClient, PartnerRefusal } from '../links/index.js';
import type { Memory } from './memory.js';
import { type Heartbeat, heartbeatAnswer } from './messages.js';
import { peerRepository as peers } from './peer.repository.js';

/** A partner that was not reached for this long since this process began is not waited for. */
const GIVEN_UP_AFTER_MS = 30_000;
/** One that answers, but has not told all his claims again for this long, is not waited for any longer either. */
const LISTENED_MS = 600_000;

interface Met {
  /** Of performance.now(): when the partner was last heard here, when he was last asked, and since when in vain. */
  heardAt?: number;
  askedAt: number;
  failingSince?: number;
  /** Its program knows no heartbeats. */
  isOld: boolean;
  /** Our incarnation under which he has told all his claims; and since when he answers without having done so. */
  greeted?: number | undefined;
  listeningSince?: number | undefined;
}

/**
 * Responsible for the exchange of heartbeats: with every partner first thing after this process has started, and every few seconds. They
 * tell whether somebody was restored from an older state before anything else is said, and how the partners are.
 */
export class Heartbeats {
  readonly #met = new Map<string, Met>();
  readonly #beating = new Map<string, Promise<void>>();

  constructor(
    private readonly database: Database,
    private readonly partners: PartnerClient,
    private readonly memory: Memory,
    private readonly clock: Clock,
    readonly everyMs: number,
    /** A partner has told all his claims under our present incarnation. */
    private readonly greeted: () => void = () => undefined,
  ) {}

  /**
   * Whether the partner has told this process all that it may have forgotten of his claims, under this incarnation of ours; or it has
   * waited for so long that it need not wait any more.
   */
  hasGreeted(linkId: string, incarnation: number): boolean {
    const met = this.#met.get(linkId);
    if (!met) return false;
    if (met.isOld || met.greeted === incarnation) return true;
    const now = performance.now();
    return now - (met.failingSince ?? Infinity) > GIVEN_UP_AFTER_MS || now - (met.listeningSince ?? Infinity) > LISTENED_MS;
  }

  /** Whether this process has spoken with the partner and may deliver. */
  mayDeliver(linkId: string): boolean {
    const met = this.#met.get(linkId);
    return met?.heardAt !== undefined && !met.isOld;
  }

  isDue(linkId: string): boolean {
    return performance.now() - (this.#met.get(linkId)?.askedAt ?? -Infinity) >= this.everyMs;
  }

  /** The partner has spoken. `greeted`: our incarnation, if he has told all his claims under it. */
  heard(linkId: string, greeted: number | undefined): void {
    const before = this.#met.get(linkId);
    const now = performance.now();
    this.#met.set(linkId, {
      heardAt: now,
      askedAt: before?.askedAt ?? -Infinity,
      isOld: false,
      greeted: greeted ?? before?.greeted,
      listeningSince: greeted === undefined ? (before?.listeningSince ?? now) : undefined,
    });
    if (greeted !== undefined && greeted !== before?.greeted) this.greeted();
  }

  /** One exchange; whoever asks while one is under way shares it. @throws when the partner cannot be reached or refuses */
  beat(link: KnownLink): Promise<void> {
    let beating = this.#beating.get(link.id);
    if (!beating) {
      beating = this.#beat(link).finally(() => this.#beating.delete(link.id));
      this.#beating.set(link.id, beating);
    }
    return beating;
  }

  async #beat(link: KnownLink): Promise<void> {
    const askedAt = performance.now();
    const before = this.#met.get(link.id);
    const { failingSince = askedAt, isOld = false } = before ?? {};
    // What was known stands while it is asked.
    this.#met.set(link.id, { isOld, ...before, askedAt });
    try {
      const said: Heartbeat = await this.database.worker.snapshot((tx) => this.memory.say(tx, link));
      const answer = heartbeatAnswer.parse(await this.partners.call(link, '/partner/v1/sync/heartbeat', { ...said }));
      this.heard(link.id, await this.database.worker.transaction((tx) => this.memory.hear(tx, link, answer, this.clock.now())));
    } catch (error) {
      if (error instanceof PartnerRefusal && error.code === 'UNKNOWN_ACTION') {
        await peers.update(this.database.worker.sql, link.id, { partner_release: '1', last_contact_at: this.clock.now() });
        this.#met.set(link.id, { heardAt: performance.now(), askedAt, isOld: true });
        return;
      }
      const { greeted } = this.#met.get(link.id) ?? {};
      this.#met.set(link.id, { askedAt, failingSince, isOld, greeted });
      throw error;
    }
  }
}
