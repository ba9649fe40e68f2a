import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import type { EventHub } from '../../platform/events/events.js';
import type { AuditService } from '../audit/index.js';
import type { LinkDirectory, PartnerActions, PartnerClient } from '../links/index.js';
import { Delivery } from './delivery.js';
import { DigestActions } from './digest.actions.js';
import { Digests } from './digests.js';
import { DrainLocks } from './drain-locks.js';
import { Drains } from './drains.js';
import { Heartbeats } from './heartbeats.js';
import { kindsOf, type ReplicatedKind } from './kinds.js';
import { Memory } from './memory.js';
import { SyncMetrics } from './metrics.js';
import { SyncReceipt } from './receipt.js';
import { SyncService } from './sync.service.js';

export interface ReplicationParts {
  database: Database;
  directory: LinkDirectory;
  partners: PartnerClient;
  audit: AuditService;
  events: EventHub;
  clock: Clock;
  logger: Logger;
  /** How often, in milliseconds. */
  heartbeatMs: number;
  digestMs: number;
  /** A partner has told all that this house may have forgotten of his claims. */
  greeted(): void;
}

/** What replicates between linked houses, wired: sending, receiving, comparing. Which kinds of records do is for their modules to say. */
export class Replication {
  readonly metrics = new SyncMetrics();
  readonly heartbeats: Heartbeats;
  readonly drains: Drains;
  readonly digests: Digests;
  readonly actions: PartnerActions;
  /** For operators. */
  readonly service: SyncService;

  constructor(parts: ReplicationParts, given: readonly ReplicatedKind[]) {
    const { database, directory, partners, audit, events, clock, logger, heartbeatMs, digestMs, greeted } = parts;
    const kinds = kindsOf(given);
    this.digests = new Digests(database, partners, kinds, this.metrics, clock, digestMs);
    const memory = new Memory(logger, () => this.digests.want());
    this.heartbeats = new Heartbeats(database, partners, memory, clock, heartbeatMs, greeted);
    const delivery = new Delivery(database, partners, kinds, memory, this.metrics, clock);
    this.drains = new Drains({ database, directory, delivery, heartbeats: this.heartbeats, digests: this.digests, locks: new DrainLocks(database.workerUrl), events, clock, logger });
    const receipt = new SyncReceipt(kinds, memory, this.metrics, (link, greetedUnder) => {
      // He speaks, so he is there: he is not left alone any longer for not having answered.
      partners.forget(link);
      this.heartbeats.heard(link.id, greetedUnder);
      this.drains.wake(link.id, true);
    });
    this.service = new SyncService(database, directory, partners, this.drains, this.digests, audit, clock);
    this.actions = new Map([...receipt.actions(), ...new DigestActions(kinds).actions()]);
  }
}
