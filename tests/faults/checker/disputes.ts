import type { DisputeOp, Finding, Op, Person, PersonCoupling, World } from './history.js';
import { at, type Snapshots } from './replicas.js';

/** Both houses know of the same disputes, as far as what they are about lives. */
function checkTold(person: Person, coupling: PersonCoupling, house: string, origin: string, snapshots: Snapshots): Finding[] {
  const told = new Set(at(snapshots, origin).disputes.filter(({ couplingId }) => couplingId === coupling.id).map(({ assignmentId }) => assignmentId));
  return at(snapshots, house)
    .foreign.filter(({ couplingId, ended, id, disputed }) => couplingId === coupling.id && !ended && disputed !== told.has(id))
    .map(({ id, disputed }) => ({ check: 'dispute', house: origin, detail: `${person.name} ${disputed ? 'disputes' : 'does not dispute'} assignment ${id} in ${house}, and ${origin} holds otherwise` }));
}

/** Disputed is what its guide said last, and told to the house it comes from. */
export function checkDisputes(world: World, history: readonly Op[], snapshots: Snapshots): Finding[] {
  const findings = world.persons.flatMap((person) =>
    person.couplings.flatMap((coupling) => {
      const [one, other] = coupling.houses;
      return [...checkTold(person, coupling, one, other, snapshots), ...checkTold(person, coupling, other, one, snapshots)];
    }),
  );
  const ops = Map.groupBy(history.filter((op): op is DisputeOp => op.subject === 'dispute' && op.outcome.kind !== 'refused'), ({ house, of }) => `${house} ${of}`);
  for (const { code, foreign } of Object.values(snapshots)) {
    for (const { id, disputed, ended } of foreign) {
      if (ended) continue;
      const own = ops.get(`${code} ${id}`) ?? [];
      const last = own.findLast(({ outcome }) => outcome.kind === 'ok');
      // One that was never answered may have been heard late.
      const may = own.filter((op) => op === last || op.outcome.kind === 'unknown').map(({ action }) => action === 'dispute');
      if (last === undefined) may.push(false);
      if (!may.includes(disputed)) {
        const check = last === undefined || last.action === 'withdraw' ? 'duplicated effect' : 'lost effect';
        findings.push({ check, house: code, detail: `foreign booking ${id} is ${disputed ? '' : 'not '}disputed, after ${own.map(({ n, action }) => `${n} ${action}`).join(', ') || 'nothing'}` });
      }
    }
  }
  return findings;
}
