import type { ControlOp, Finding, Op, Person, World } from './history.js';
import { at, type Snapshots } from './replicas.js';
import type { Snapshot } from './snapshot.js';

const isOver = ({ state }: { state: string }): boolean => state === 'ENDED' || state === 'DECLINED';

/** Every coupling that somebody is to have stands in both houses, of the right guide, and nothing else lives. */
function checkLiving(world: World, snapshots: Snapshots): Finding[] {
  const findings: Finding[] = [];
  const wanted = new Map<string, string>();
  const key = (id: string, house: string): string => `${id} in ${house}`;
  for (const person of world.persons) {
    for (const { id, houses } of person.couplings) for (const house of houses) wanted.set(key(id, house), person.guideIds[house] ?? '');
  }
  for (const { code, couplings } of Object.values(snapshots)) {
    for (const { id, state, guideId } of couplings) {
      const guide = wanted.get(key(id, code));
      wanted.delete(key(id, code));
      const say = (detail: string): void => void findings.push({ check: 'coupling', house: code, detail: `coupling ${id} ${detail}` });
      if (guide === undefined && !isOver({ state })) say(`is ${state}, and should not be any more`);
      else if (guide !== undefined && (state !== 'ACTIVE' || guideId !== guide)) say(`is ${state} of guide ${guideId}, and should be in force`);
    }
  }
  for (const missing of wanted.keys()) findings.push({ check: 'coupling', detail: `coupling ${missing} is not there` });
  return findings;
}

/** Ends happen where they were answered with ok, stay, and are somebody's. */
function checkEnds(history: readonly Op[], snapshots: Snapshots): Finding[] {
  const findings: Finding[] = [];
  const ends = history.filter((op): op is ControlOp => op.subject === 'coupling' && op.action === 'end');
  for (const { n, house, of, outcome } of ends) {
    const row = at(snapshots, house).couplings.find(({ id }) => id === of);
    if (outcome.kind === 'ok' && !(row && isOver(row))) findings.push({ check: 'lost effect', house, detail: `coupling ${of} is ${row?.state ?? 'not there'}, its end (change ${n}) was answered with ok` });
  }
  // The houses themselves take back what a guide has confirmed while one of his houses was not linked with another.
  const firstSuspended = Math.min(...history.filter((op) => op.subject === 'link' && op.action === 'suspend' && op.outcome.kind !== 'refused').map(({ startedAt }) => startedAt));
  const takenBack = history.filter((op): op is ControlOp => op.subject === 'coupling' && op.action === 'confirm' && op.endedAt > firstSuspended);
  const asked = new Set([...takenBack, ...ends.filter(({ outcome }) => outcome.kind !== 'refused')].map(({ of }) => of));
  for (const { code, couplings } of Object.values(snapshots)) {
    for (const { id, state } of couplings) if (state === 'ENDED' && !asked.has(id)) findings.push({ check: 'duplicated effect', house: code, detail: `nobody ended coupling ${id}` });
  }
  return findings;
}

/** What was received over a coupling goes with it: foreign bookings, and the rules made there. */
function checkLeft(world: World, { code, couplings, foreign, rules, guides }: Snapshot): Finding[] {
  const findings: Finding[] = [];
  const say = (detail: string): void => void findings.push({ check: 'coupling', house: code, detail });
  const over = new Set(couplings.filter(isOver).map(({ id }) => id));
  for (const { id, couplingId } of foreign) if (over.has(couplingId)) say(`foreign booking ${id} of coupling ${couplingId}, which is over`);
  const persons = new Map(world.persons.flatMap((person): [string, Person][] => (person.guideIds[code] === undefined ? [] : [[person.guideIds[code], person]])));
  for (const { id, guideId, origin } of rules) {
    const person = persons.get(guideId);
    const isShared = person?.couplings.some(({ houses }) => houses.includes(code) && houses.includes(origin));
    if (origin !== code && !isShared) say(`rule ${id} was made in ${origin}, where its guide is not coupled`);
  }
  // Nobody empties these.
  for (const guide of guides) {
    for (const field of ['firstName', 'lastName', 'email', 'phone'] as const) if (persons.has(guide.id) && !guide[field]) say(`guide ${guide.id} has lost his ${field}`);
  }
  return findings;
}

/** Couplings that end leave nothing behind but profiles, and never revive; those made anew are there. */
export function checkCouplings(world: World, history: readonly Op[], snapshots: Snapshots): Finding[] {
  return [...checkLiving(world, snapshots), ...checkEnds(history, snapshots), ...Object.values(snapshots).flatMap((snapshot) => checkLeft(world, snapshot))];
}
