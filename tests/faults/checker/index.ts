import { checkBlocks } from './blocks.js';
import { checkBookings } from './bookings.js';
import { checkClaims } from './claims.js';
import type { Finding, Op, World } from './history.js';
import { checkOffers, checkProfiles } from './profiles.js';
import { checkDoubleBookings, checkReplicas, type Snapshots } from './replicas.js';
import { checkEntries, checkRules } from './rules.js';

export * from './history.js';
export { checkBlocks } from './blocks.js';
export { checkBookings } from './bookings.js';
export { checkOffers, checkProfiles } from './profiles.js';
export { checkClaims } from './claims.js';
export { checkEntries, checkRules } from './rules.js';
export { checkDoubleBookings, checkReplicas, type Snapshots, steady } from './replicas.js';
export { type Snapshot, takeSnapshot } from './snapshot.js';
export { leaksInAnswer, leaksInDatabase, leaksInLog, Traces, type Viewer } from './traces.js';

/** Everything that must hold after quiet and can be told from the databases and the history alone. */
export function checkAll(world: World, history: readonly Op[], snapshots: Snapshots): Finding[] {
  return [
    ...checkReplicas(world, snapshots),
    ...checkProfiles(world, history, snapshots),
    ...checkOffers(history, snapshots),
    ...checkRules(world, history, snapshots),
    ...checkEntries(history, snapshots),
    ...checkBookings(history, snapshots),
    ...checkBlocks(history, snapshots),
    ...checkDoubleBookings(world, snapshots),
    ...checkClaims(world, snapshots),
  ];
}
