import { type Finding, isCoupledIn, type Op, type OfferOp, type Person, type ProfileOp, type World } from './history.js';
import { at, type Snapshots } from './replicas.js';
import type { GuideRow } from './snapshot.js';

const FIELDS = ['firstName', 'lastName', 'email', 'phone', 'languages', 'bankData'] as const;
type Field = (typeof FIELDS)[number] | 'sharesBankData';

const isUnknown = (op: Op): boolean => op.outcome.kind === 'unknown';
const isOk = (op: Op): boolean => op.outcome.kind === 'ok';

/**
 * What the last writer in one house can have written: the last one who was told ok, and those never answered who may have come after him.
 * A change is made upon a version, so whoever named an earlier one than his answer came before him or not at all.
 */
export function lastWriters<T extends { expectedVersion?: number; answerVersion?: number } & Op>(ops: readonly T[]): T[] {
  const last = ops.filter(isOk).reduce<T | undefined>((best, op) => ((op.answerVersion ?? 0) > (best?.answerVersion ?? 0) ? op : best), undefined);
  const later = ops.filter((op) => isUnknown(op) && (op.expectedVersion ?? 0) >= (last?.answerVersion ?? 0));
  return last ? [last, ...later] : later;
}

interface Copy {
  readonly house: string;
  readonly row: GuideRow;
  readonly stamp: string;
}

/** Stamps begin with milliseconds and end with the code of the house that gave them. */
export const stampTime = (stamp: string): number => Number(/^(\d+)-/.exec(stamp)?.[1] ?? 0);
export const stampHouse = (stamp: string): string => /^\d+-\d+-(.+)$/.exec(stamp)?.[1] ?? '';

function copiesOf(person: Person, field: Field, houses: readonly string[], snapshots: Snapshots): Copy[] {
  return houses.map((house) => {
    const { guides, stamps } = at(snapshots, house);
    const row = guides.find(({ id }) => id === person.guideIds[house]);
    if (!row) throw new Error(`${person.name} is not in ${house}`);
    return { house, row, stamp: stamps.find((stamp) => stamp.guideId === row.id && stamp.field === field)?.stamp ?? '' };
  });
}

function checkField(person: Person, field: Field, copies: readonly Copy[], ops: readonly ProfileOp[], isCoupled: boolean): Finding[] {
  const say = (check: string, detail: string): Finding => ({ check, detail: `${field} of ${person.name}: ${detail}` });
  const [first] = copies;
  if (!first) return [];
  const findings: Finding[] = [];
  const differing = copies.filter(({ row }) => row[field] !== first.row[field]).map(({ house }) => house);
  if (differing.length > 0) findings.push(say('profile', `${first.house} and ${differing.join(', ')} differ`));
  if (isCoupled && copies.some(({ stamp }) => stamp !== first.stamp)) findings.push(say('profile', 'the houses have different stamps'));
  const writes = ops.filter((op) => op.values[field] !== undefined);
  // Where nobody wrote after the end, what it began with may stand.
  if (!writes.some((op) => isOk(op) && (isCoupled || !person.ends || op.house === first.house))) return findings;
  const origin = isCoupled ? stampHouse(first.stamp) : first.house;
  // With a coupling's end its houses take what they hold for their own: who wrote it cannot be told from the stamp.
  const candidates = person.ends ? writes.filter(({ outcome }) => outcome.kind !== 'refused') : lastWriters(writes.filter(({ house }) => house === origin));
  if (!candidates.some((op) => op.values[field] === first.row[field])) {
    findings.push(say('lost effect', `its value is none that the last writers of ${origin || 'no house'} gave (changes ${candidates.map(({ n }) => n).join(', ') || 'none'})`));
  }
  if (isCoupled) {
    const missed = writes.filter((op) => isOk(op) && op.clockAtLeast > stampTime(first.stamp));
    for (const op of missed) findings.push(say('lost effect', `change ${op.n} of ${op.house} came after the stamp that won`));
  }
  return findings;
}

/**
 * Where he decides anew whether his houses share his bank data: what a sharing house says itself has come to the others, and everywhere
 * stands what somebody wrote.
 */
function checkSharedNow(person: Person, houses: readonly string[], ops: readonly ProfileOp[], snapshots: Snapshots): Finding[] {
  const copies = copiesOf(person, 'bankData', houses, snapshots);
  const findings: Finding[] = [];
  const say = (check: string, house: string, detail: string): void => void findings.push({ check, house, detail: `bank data of ${person.name}: ${detail}` });
  const writes = ops.filter((op) => op.values['bankData'] !== undefined && op.outcome.kind !== 'refused');
  for (const { house, row, stamp } of copies) {
    if (row.bankData !== null && !writes.some((op) => op.values['bankData'] === row.bankData)) say('lost effect', house, 'are what nobody gave');
    for (const op of writes.filter((each) => isOk(each) && each.house === house && each.clockAtLeast > stampTime(stamp))) say('lost effect', house, `change ${op.n} came after the stamp that won`);
    for (const other of copies) {
      if (row.sharesBankData === 'true' && other.stamp < stamp) say('profile', other.house, `are older than in ${house}, which shares them`);
      if (other.stamp === stamp && other.row.bankData !== row.bankData) say('profile', other.house, `differ from those of ${house} under one stamp`);
    }
  }
  return findings;
}

/**
 * All coupled houses have one profile, field by field, and it is the last writer's. With a coupling's end values stay as they are: in each
 * house what was written there or came from another before.
 */
export function checkProfiles(world: World, history: readonly Op[], snapshots: Snapshots): Finding[] {
  const ops = history.filter((op): op is ProfileOp => op.subject === 'profile');
  return world.persons.flatMap((person) => {
    const fields = FIELDS.filter((field) => field !== 'bankData' || (person.sharesBankData && !person.decidesOnBankData));
    const inHouses = Object.keys(person.guideIds);
    const coupled = inHouses.filter((house) => isCoupledIn(person, house));
    const groups = [...(coupled.length > 0 ? [coupled] : []), ...inHouses.filter((house) => !coupled.includes(house)).map((house) => [house])];
    const his = ops.filter((op) => person.guideIds[op.house] === op.guideId);
    const decisions = inHouses.flatMap((house) => checkField(person, 'sharesBankData', copiesOf(person, 'sharesBankData', [house], snapshots), his.filter((op) => op.house === house), false));
    const shared = person.decidesOnBankData ? checkSharedNow(person, coupled, his, snapshots) : [];
    const fieldsOfAll = groups.flatMap((houses) => {
      const own = ops.filter((op) => (person.ends !== undefined || houses.includes(op.house)) && person.guideIds[op.house] === op.guideId);
      return fields.flatMap((field) => checkField(person, field, copiesOf(person, field, houses, snapshots), own, coupled.length > 0 && houses === groups[0]));
    });
    return [...decisions, ...shared, ...fieldsOfAll];
  });
}

/** Offers have one writer, their house: the last title that was answered with ok is there. */
export function checkOffers(history: readonly Op[], snapshots: Snapshots): Finding[] {
  const ops = history.filter((op): op is OfferOp => op.subject === 'offer');
  return [...Map.groupBy(ops, ({ offerId }) => offerId)].flatMap(([offerId, all]): Finding[] => {
    const house = all[0]?.house ?? '';
    const row = at(snapshots, house).offers.find(({ id }) => id === offerId);
    const say = (check: string, detail: string): Finding => ({ check, house, detail: `offer ${offerId}: ${detail}` });
    if (!row) return [say('lost effect', 'it is not there')];
    const findings: Finding[] = [];
    const made = all.filter((op) => op.outcome.kind !== 'refused');
    if (made.some(isOk) && !lastWriters(all).some(({ title }) => title === row.title)) findings.push(say('lost effect', 'its title is none that its last writers gave'));
    if (row.version - 1 < made.filter(isOk).length) findings.push(say('lost effect', `version ${row.version} after ${made.filter(isOk).length} changes`));
    if (row.version - 1 > made.length) findings.push(say('duplicated effect', `version ${row.version} after ${made.length} changes at the most`));
    return findings;
  });
}
