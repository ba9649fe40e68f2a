import { type EntryOp, type Finding, type HolidayOp, isCoupledIn, type Op, type Person, type RuleOp, type World } from './history.js';
import { lastWriters, stampHouse, stampTime } from './profiles.js';
import { at, type Snapshots } from './replicas.js';
import type { RuleRow } from './snapshot.js';

const isOk = (op: Op): boolean => op.outcome.kind === 'ok';

/** A deleted rule and one that never came are the same. */
const contentOf = (row: RuleRow | undefined): string =>
  row === undefined || row.deleted ? 'none' : JSON.stringify([row.origin, row.startTime, row.validFrom, row.rest, row.stamp]);

const says = (op: RuleOp, row: RuleRow | undefined): boolean =>
  op.action === 'delete' ? row === undefined || row.deleted : row !== undefined && !row.deleted && op.startTime === row.startTime && op.validFrom === row.validFrom;

/**
 * Of a person whose couplings end: the house that made a rule keeps it, with what others had changed in it. What another house did and
 * could not say before the end is gone with the coupling.
 */
function checkLoose(row: RuleRow | undefined, houses: readonly string[], ops: readonly RuleOp[]): string[] {
  const creation = ops.find(({ action }) => action === 'create');
  if (!row) return creation && isOk(creation) && houses.includes(creation.house) ? [`is nowhere (change ${creation.n})`] : [];
  const wrong = ops.filter((op) => isOk(op) && op.house === row.origin && op.clockAtLeast > stampTime(row.stamp)).map((op) => `change ${op.n} of ${op.house} came after the stamp that won`);
  return ops.some((op) => op.outcome.kind !== 'refused' && says(op, row)) ? wrong : [...wrong, 'is as nobody left it'];
}

/** One rule in all houses that share it. */
function checkRule(person: Person, houses: readonly string[], id: string, ops: readonly RuleOp[], snapshots: Snapshots): Finding[] {
  const say = (check: string, detail: string): Finding => ({ check, detail: `rule ${id} of ${person.name}: ${detail}` });
  const copies = houses.map((house) => ({ house, row: at(snapshots, house).rules.find((row) => row.id === id) }));
  const findings: Finding[] = [];
  const differing = copies.filter(({ row }) => contentOf(row) !== contentOf(copies[0]?.row)).map(({ house }) => house);
  if (differing.length > 0) findings.push(say('rule', `${houses[0]} and ${differing.join(', ')} differ: ${copies.map(({ row: copy }) => contentOf(copy)).join(' / ')}`));
  const row = copies.find((copy) => copy.row)?.row;
  if (!ops.some(isOk)) return findings;
  if (person.ends) return [...findings, ...checkLoose(row, houses, ops).map((detail) => say('lost effect', detail))];
  if (!row) return [...findings, say('lost effect', `is nowhere (changes ${ops.filter(isOk).map(({ n }) => n).join(', ')})`)];
  const origin = stampHouse(row.stamp);
  if (!lastWriters(ops.filter(({ house }) => house === origin)).some((op) => says(op, row))) findings.push(say('lost effect', `is as no last writer of ${origin} left it`));
  for (const op of ops.filter((each) => isOk(each) && each.clockAtLeast > stampTime(row.stamp))) findings.push(say('lost effect', `change ${op.n} of ${op.house} came after the stamp that won`));
  return findings;
}

/** Every house that couples a person has all his rules, each as its last writer left it; others have none of them. */
export function checkRules(world: World, history: readonly Op[], snapshots: Snapshots): Finding[] {
  const all = history.filter((op): op is RuleOp => op.subject === 'rule');
  return world.persons.flatMap((person) => {
    const inHouses = Object.keys(person.guideIds);
    const coupled = inHouses.filter((house) => isCoupledIn(person, house));
    const groups = coupled.length > 0 ? [coupled] : inHouses.map((house) => [house]);
    return groups.flatMap((houses) => {
      const ops = all.filter((op) => op.person === person.name && (person.ends !== undefined || houses.includes(op.house)));
      const rows = houses.flatMap((house) => at(snapshots, house).rules.filter(({ guideId }) => guideId === person.guideIds[house]));
      const ids = new Set([...rows.map(({ id }) => id), ...ops.flatMap(({ ruleId }) => ruleId ?? [])]);
      const wished = ops.filter((op) => op.action === 'create' && op.outcome.kind !== 'refused');
      return [...ids].flatMap((id) => {
        const own = ops.filter(({ ruleId }) => ruleId === id);
        // Of a rule that was never answered nobody knows the id.
        const isExplained = own.length > 0 || wished.some((op) => op.ruleId === undefined && rows.some((row) => row.id === id && says(op, row)));
        const unknown: Finding[] = isExplained ? [] : [{ check: 'duplicated effect', detail: `nobody made rule ${id} of ${person.name}` }];
        return unknown.concat(checkRule(person, houses, id, own, snapshots));
      });
    });
  });
}

/** A house has the holidays it was given last, and its rules carry them wherever they are. */
export function checkHolidays(history: readonly Op[], snapshots: Snapshots): Finding[] {
  const findings: Finding[] = [];
  for (const { code, holidays, rules } of Object.values(snapshots)) {
    const ops = history.filter((op): op is HolidayOp => op.subject === 'holidays' && op.house === code && op.outcome.kind !== 'refused');
    const last = ops.findLast(isOk);
    if (last && !ops.some((op) => (op === last || !isOk(op)) && op.days.join() === holidays.join())) findings.push({ check: 'lost effect', house: code, detail: `its holidays are not what change ${last.n} made them` });
    for (const { id, origin, deleted, holidays: carried } of rules) {
      if (!deleted && carried !== at(snapshots, origin).holidays.join(' ')) findings.push({ check: 'rule', house: code, detail: `rule ${id} does not carry the holidays of ${origin}` });
    }
  }
  return findings;
}

/** What a house knows by itself stays there: its own entries are there until they are removed, and in no other house. */
export function checkEntries(history: readonly Op[], snapshots: Snapshots): Finding[] {
  const ops = history.filter((op): op is EntryOp => op.subject === 'entry');
  const findings: Finding[] = [];
  const homes = new Map<string, string>();
  for (const { code, entries } of Object.values(snapshots)) {
    for (const { id } of entries) {
      const other = homes.get(id);
      if (other !== undefined) findings.push({ check: 'leak', house: code, detail: `individual entry ${id} is in ${other} too` });
      homes.set(id, code);
      const made = ops.find(({ entryIds }) => entryIds.includes(id));
      if (made && made.house !== code) findings.push({ check: 'leak', house: code, detail: `individual entry ${id} was made in ${made.house}` });
    }
    const here = new Set(entries.map(({ id }) => id));
    for (const { n, action, entryIds } of ops.filter((op) => op.house === code && isOk(op))) {
      for (const id of entryIds) {
        const isRemoved = ops.some((op) => op.action === 'remove' && op.outcome.kind !== 'refused' && op.entryIds.includes(id));
        if (action === 'remove' ? here.has(id) : !here.has(id) && !isRemoved) findings.push({ check: 'lost effect', house: code, detail: `absence ${id} is ${here.has(id) ? '' : 'not '}there after change ${n}` });
      }
    }
    const own = ops.filter(({ house, outcome }) => house === code && outcome.kind !== 'refused');
    if (entries.length > 0 && own.length === 0) findings.push({ check: 'leak', house: code, detail: `${entries.length} individual entries, and nobody made any here` });
  }
  return findings;
}
