export { AssignmentKind } from './assignment.kind.js';
export { Delivery } from './delivery.js';
export { DrainLocks } from './drain-locks.js';
export { Drains } from './drains.js';
export { Heartbeats } from './heartbeats.js';
export { type Item, ItemRefusal, kindsOf, type Receipt, type RecordName, type ReceivingCoupling, type ReplicatedKind, type ReplicatedKinds } from './kinds.js';
export { Memory } from './memory.js';
export { SyncMetrics } from './metrics.js';
export { SyncReceipt } from './receipt.js';
