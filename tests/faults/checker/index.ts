import { checkBlocks } from './blocks.js';
import { checkBookings } from './bookings.js';
import { checkCouplings } from './couplings.js';
import { checkClaims } from './claims.js';
import { checkDisputes } from './disputes.js';
import type { Finding, Op, World } from './history.js';
import { checkLinks } from './links.js';
import { checkOffers, checkProfiles } from './profiles.js';
import { checkDoubleBookings, checkReplicas, type Snapshots } from './replicas.js';
import { checkRequests } from './requests.js';
import { checkEntries, checkHolidays, checkRules } from './rules.js';

export * from './history.js';
export { checkBlocks } from './blocks.js';
export { checkBookings } from './bookings.js';
export { checkOffers, checkProfiles } from './profiles.js';
export { checkCouplings } from './couplings.js';
export { checkClaims } from './claims.js';
export { checkRequests } from './requests.js';
export { checkDisputes } from './disputes.js';
export { checkLinks } from './links.js';
export { checkEntries, checkHolidays, checkRules } from './rules.js';
export { checkDoubleBookings, checkReplicas, type Snapshots, steady } from './replicas.js';
export { type Snapshot, takeSnapshot } from './snapshot.js';
export { leaksInAnswer, leaksInDatabase, leaksInLog, Traces, type Viewer } from './traces.js';

/** Everything that must hold after quiet and can be told from the databases and the history alone. */
export function checkAll(world: World, history: readonly Op[], snapshots: Snapshots): Finding[] {
  return [
    ...checkCouplings(world, history, snapshots),
    ...checkReplicas(world, snapshots),
    ...checkProfiles(world, history, snapshots),
    ...checkOffers(history, snapshots),
    ...checkRules(world, history, snapshots),
    ...checkHolidays(history, snapshots),
    ...checkEntries(history, snapshots),
    ...checkBookings(history, snapshots),
    ...checkRequests(history, snapshots),
    ...checkBlocks(history, snapshots),
    ...checkDoubleBookings(world, snapshots),
    ...checkClaims(world, snapshots),
    ...checkDisputes(world, history, snapshots),
    ...checkLinks(history, snapshots),
  ];
}
