import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import { type KnownLink, type PartnerClient, PartnerRefusal } from '../links/index.js';
import type { Memory } from './memory.js';
import { heartbeat, type Heartbeat } from './messages.js';
import { peerRepository as peers } from './peer.repository.js';

/** A partner that was not reached for this long since this process began is not waited for. */
const GIVEN_UP_AFTER_MS = 30_000;

interface Met {
  /** Of performance.now(): when the partner was last heard here, when he was last asked, and since when in vain. */
  heardAt?: number;
  askedAt: number;
  failingSince?: number;
  /** Its program knows no heartbeats. */
  isOld: boolean;
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
  ) {}

  /** Whether this process has spoken with the partner, or has tried for so long that it need not wait for him. */
  hasMet(linkId: string): boolean {
    const met = this.#met.get(linkId);
    return met !== undefined && (met.heardAt !== undefined || performance.now() - (met.failingSince ?? Infinity) > GIVEN_UP_AFTER_MS);
  }

  /** Whether this process has spoken with the partner and may deliver. */
  mayDeliver(linkId: string): boolean {
    const met = this.#met.get(linkId);
    return met?.heardAt !== undefined && !met.isOld;
  }

  isDue(linkId: string): boolean {
    return performance.now() - (this.#met.get(linkId)?.askedAt ?? -Infinity) >= this.everyMs;
  }

  /** The partner has spoken first. */
  heard(linkId: string): void {
    this.#met.set(linkId, { heardAt: performance.now(), askedAt: this.#met.get(linkId)?.askedAt ?? -Infinity, isOld: false });
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
    const { failingSince = askedAt, isOld = false, heardAt } = this.#met.get(link.id) ?? {};
    this.#met.set(link.id, { heardAt, askedAt, isOld });
    try {
      const said: Heartbeat = await this.database.worker.snapshot((tx) => this.memory.say(tx, link));
      const answer = heartbeat.parse(await this.partners.call(link, '/partner/v1/sync/heartbeat', { ...said }));
      await this.database.worker.transaction((tx) => this.memory.hear(tx, link, answer, this.clock.now()));
      this.heard(link.id);
    } catch (error) {
      if (error instanceof PartnerRefusal && error.code === 'UNKNOWN_ACTION') {
        await peers.update(this.database.worker.sql, link.id, { partner_release: '1', last_contact_at: this.clock.now() });
        this.#met.set(link.id, { heardAt: performance.now(), askedAt, isOld: true });
        return;
      }
      this.#met.set(link.id, { askedAt, failingSince, isOld });
      throw error;
    }
  }
}
