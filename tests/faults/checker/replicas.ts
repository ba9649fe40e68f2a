import { type Finding, isCoupledIn, type Person, type PersonCoupling, type World } from './history.js';
import type { AssignmentRow, ForeignRow, Snapshot } from './snapshot.js';

export type Snapshots = Readonly<Record<string, Snapshot>>;

export function at(snapshots: Snapshots, house: string): Snapshot {
  const snapshot = snapshots[house];
  if (!snapshot) throw new Error(`there is no snapshot of ${house}`);
  return snapshot;
}

/** Everything that may leave about an assignment, as its origin has it. */
function projection(origin: Snapshot, assignment: AssignmentRow): string {
  const booking = origin.bookings.find(({ id }) => id === assignment.bookingId);
  const title = assignment.kind === 'BLOCK' ? origin.blockTitle : origin.offers.find(({ id }) => id === booking?.offerId)?.title;
  return JSON.stringify([assignment.id, assignment.start, assignment.end, title ?? null, assignment.kind, assignment.version, origin.incarnation]);
}

const copyOf = ({ id, start, end, title, kind, version, incarnation }: ForeignRow): string => JSON.stringify([id, start, end, title, kind, version, incarnation]);

function compare(person: Person, coupling: PersonCoupling, origin: Snapshot, partner: Snapshot): Finding[] {
  const where = `${person.name}, ${origin.code} to ${partner.code}`;
  const say = (check: string, detail: string): Finding => ({ check, house: partner.code, detail: `${where}: ${detail}` });
  const own = origin.assignments.filter(({ guideId }) => guideId === person.guideIds[origin.code]);
  const ownById = new Map(own.map((assignment) => [assignment.id, assignment]));
  const copies = partner.foreign.filter(({ couplingId }) => couplingId === coupling.id);
  const copiesById = new Map(copies.map((copy) => [copy.id, copy]));
  const findings: Finding[] = [];
  for (const assignment of own.filter(({ ended }) => !ended)) {
    const copy = copiesById.get(assignment.id);
    if (!copy) findings.push(say('replica', `assignment ${assignment.id} is missing`));
    else if (copy.ended) findings.push(say('replica', `assignment ${assignment.id} lives, its copy has ended`));
    else if (copyOf(copy) !== projection(origin, assignment)) {
      findings.push(say('replica', `the copy of assignment ${assignment.id} (version ${copy.version} of incarnation ${copy.incarnation}) differs from version ${assignment.version}`));
    }
  }
  for (const copy of copies) {
    const assignment = ownById.get(copy.id);
    if (copy.guideId !== person.guideIds[partner.code]) findings.push(say('replica', `foreign booking ${copy.id} is of another guide`));
    if (!copy.ended && assignment?.ended !== false) findings.push(say('replica', `foreign booking ${copy.id} lives, its assignment ${assignment ? 'has ended' : 'never was'}`));
  }
  return findings;
}

/** Copies equal their origins, in both directions of every coupling, and nobody holds a copy he should not. */
export function checkReplicas(world: World, snapshots: Snapshots): Finding[] {
  const findings: Finding[] = [];
  const known = new Set<string>();
  for (const person of world.persons) {
    for (const coupling of person.couplings) {
      const [one, other] = coupling.houses;
      known.add(coupling.id);
      findings.push(...compare(person, coupling, at(snapshots, one), at(snapshots, other)), ...compare(person, coupling, at(snapshots, other), at(snapshots, one)));
    }
  }
  for (const snapshot of Object.values(snapshots)) {
    for (const { couplingId, id } of snapshot.foreign) {
      if (!known.has(couplingId)) findings.push({ check: 'replica', house: snapshot.code, detail: `foreign booking ${id} of a coupling ${couplingId} that nobody made` });
    }
    for (const { couplingId, kind, recordId, refusedCode } of snapshot.outbox) {
      findings.push({ check: 'backlog', house: snapshot.code, detail: `${kind} ${recordId} still waits (coupling ${couplingId}, ${refusedCode ?? 'not refused'})` });
    }
  }
  return findings;
}

export interface Held {
  readonly house: string;
  readonly row: AssignmentRow;
}

export const overlap = (one: Pick<AssignmentRow, 'start' | 'end'>, other: Pick<AssignmentRow, 'start' | 'end'>): boolean => one.start < other.end && other.start < one.end;

/** The living assignments of one person that were decided like this, in all his houses. */
export function decidedOf(person: Person, snapshots: Snapshots, verification: 'VERIFIED' | 'CONFLICT'): Held[] {
  return Object.entries(person.guideIds).flatMap(([house, guideId]) =>
    at(snapshots, house)
      .assignments.filter((row) => row.guideId === guideId && !row.ended && row.verification === verification)
      .map((row) => ({ house, row })),
  );
}

/** Nobody is verified in two places at once; within one house nobody is anywhere twice, verified or not. */
export function checkDoubleBookings(world: World, snapshots: Snapshots): Finding[] {
  const findings: Finding[] = [];
  for (const person of world.persons) {
    const held = isCoupledIn(person, Object.keys(person.guideIds)[0] ?? '') ? decidedOf(person, snapshots, 'VERIFIED') : [];
    for (const [index, one] of held.entries()) {
      for (const other of held.slice(index + 1)) {
        if (overlap(one.row, other.row)) {
          findings.push({ check: 'double booking', detail: `${person.name} is verified at once in ${one.house} (${one.row.id}) and ${other.house} (${other.row.id})` });
        }
      }
    }
  }
  for (const { code, assignments } of Object.values(snapshots)) {
    const living = assignments.filter(({ ended }) => !ended).sort((one, other) => (one.guideId < other.guideId ? -1 : one.guideId > other.guideId ? 1 : one.start < other.start ? -1 : 1));
    for (const [index, row] of living.entries()) {
      const next = living[index + 1];
      if (next?.guideId === row.guideId && overlap(row, next)) findings.push({ check: 'double booking', house: code, detail: `assignments ${row.id} and ${next.id} overlap in one house` });
    }
  }
  return findings;
}

/**
 * What was there in the same version before and after is what was there at one moment in between, in whatever order houses were read.
 * Without what is left out by id.
 */
export function steady(before: Snapshots, after: Snapshots, leftOut: ReadonlySet<string> = new Set()): Snapshots {
  const key = ({ id, version, verification, ended }: AssignmentRow): string => `${id} ${version} ${verification} ${ended}`;
  return Object.fromEntries(
    Object.entries(after).map(([house, snapshot]) => {
      const earlier = new Set(before[house]?.assignments.map(key));
      return [house, { ...snapshot, assignments: snapshot.assignments.filter((row) => earlier.has(key(row)) && !leftOut.has(row.id)) }];
    }),
  );
}

