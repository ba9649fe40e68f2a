import { checkBookings } from './bookings.js';
import type { Finding, Op, World } from './history.js';
import { checkOffers, checkProfiles } from './profiles.js';
import { checkClaims, checkDoubleBookings, checkReplicas, type Snapshots } from './replicas.js';

export * from './history.js';
export { checkBookings } from './bookings.js';
export { checkOffers, checkProfiles } from './profiles.js';
export { checkClaims, checkDoubleBookings, checkReplicas, type Snapshots, steady } from './replicas.js';
export { type Snapshot, takeSnapshot } from './snapshot.js';
export { leaksInAnswer, leaksInDatabase, leaksInLog, Traces, type Viewer } from './traces.js';

/** Everything that must hold after quiet and can be told from the databases and the history alone. */
export function checkAll(world: World, history: readonly Op[], snapshots: Snapshots): Finding[] {
  return [
    ...checkReplicas(world, snapshots),
    ...checkProfiles(world, history, snapshots),
    ...checkOffers(history, snapshots),
    ...checkBookings(history, snapshots),
    ...checkDoubleBookings(world, snapshots),
    ...checkClaims(world, snapshots),
  ];
}
