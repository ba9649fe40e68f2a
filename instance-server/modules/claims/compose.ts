import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import type { EventHub } from '../../platform/events/events.js';
import type { AuditService } from '../audit/index.js';
import type { LinkDirectory, PartnerClient } from '../links/index.js';
import type { ReplicatedKind } from '../replication/index.js';
import type { SettingsStore } from '../settings/index.js';
import { ClaimActions } from './claim.actions.js';
import { ClaimDesk, type ClaimLimits } from './claim.desk.js';
import { linkFigures } from './claim.figures.js';
import { Claims } from './claim.gate.js';
import { ClaimKind } from './claim.kind.js';
import { ClaimMetrics } from './claim.metrics.js';
import { ClaimPatience } from './claim.patience.js';
import { ClaimUpkeep } from './claim.upkeep.js';
import { ConflictService } from './conflict.service.js';
import { DisputeKind } from './dispute.kind.js';
import { DisputeService } from './dispute.service.js';
import { Greeting, type HasGreeted } from './greeting.js';
import { KeeperKind } from './keeper.kind.js';
import { KeeperService } from './keeper.service.js';
import { VerdictKind } from './verdict.kind.js';

export interface ClaimDependencies {
  database: Database;
  directory: LinkDirectory;
  partners: PartnerClient;
  events: EventHub;
  settings: SettingsStore;
  audit: AuditService;
  clock: Clock;
  code: string;
  limits: ClaimLimits;
  hasGreeted: HasGreeted;
}

/** Every service of claims, wired once. */
export function composeClaims({ database, directory, partners, events, settings, audit, clock, code, limits, hasGreeted }: ClaimDependencies) {
  const greeting = new Greeting(directory, hasGreeted);
  const desk = new ClaimDesk(greeting, code, limits);
  const keepers = new KeeperService(database, directory, partners, clock, code);
  const upkeep = new ClaimUpkeep(database, directory, partners, keepers, greeting, clock, code);
  const patience = new ClaimPatience(database, events, () => upkeep.claimOwn());
  const gate = new Claims(database, directory, partners, events, settings, greeting, code, () => patience.lookAfterOwn());
  return {
    gate,
    keepers,
    kinds: [new KeeperKind(), new ClaimKind(desk), new VerdictKind(code), new DisputeKind(audit)] as ReplicatedKind[],
    actions: new ClaimActions(desk, code).actions(),
    upkeep,
    patience,
    conflicts: new ConflictService(database, gate, audit),
    metrics: new ClaimMetrics(database, clock),
    figures: () => linkFigures(database, clock, code),
    disputes: new DisputeService(database, audit),
  };
}
