export { AssignmentKind } from './assignment.kind.js';
export { CouplingKind } from './coupling.kind.js';
export { Drains } from './drains.js';
export { Heartbeats } from './heartbeats.js';
export { type Comparison, type HeldRecord, type Item, ItemRefusal, type Receipt, type RecordName, type ReceivingCoupling, type ReplicatedKind, type ReplicatedKinds } from './kinds.js';
export { SyncMetrics } from './metrics.js';
export { Replication } from './replication.js';
