import type { BookingEffect, BookingFacts, BookingOp, Finding, Op, RequestOp } from './history.js';
import { at, type Snapshots } from './replicas.js';
import type { AssignmentRow, BookingRow, Snapshot } from './snapshot.js';

/*
 * Every change of a booking names the version it was made upon and raises it by one. So the row that is there tells how many changes it has
 * had, and each step has to be one that was asked for: by one that was answered with ok, or by one that was never answered. A guide who
 * accepts names no version; how many have is told by the requests themselves.
 */

const isOk = (op: Pick<Op, 'outcome'>): boolean => op.outcome.kind === 'ok';
const mayHaveHappened = (op: Pick<Op, 'outcome'>): boolean => op.outcome.kind !== 'refused';

interface Story {
  readonly house: string;
  readonly mark: string;
  readonly creation: BookingOp;
  /** By the version they were made upon. */
  readonly changes: ReadonlyMap<number, readonly BookingOp[]>;
  readonly deletions: readonly BookingOp[];
  /** Of requests for it. */
  readonly acceptances: readonly RequestOp[];
}

/** Something that can have made a booking what it is. */
type Step = Pick<BookingOp, 'n' | 'outcome' | 'effect' | 'answer'> & { readonly action: string };

function storiesOf(history: readonly Op[]): Story[] {
  const ops = history.filter((op): op is BookingOp => op.subject === 'booking');
  const byMark = Map.groupBy(ops, ({ mark }) => mark);
  const accepted = Map.groupBy(
    history.filter((op): op is RequestOp => op.subject === 'request' && op.action === 'accept' && mayHaveHappened(op)),
    ({ mark }) => mark,
  );
  return [...byMark].flatMap(([mark, all]) => {
    const creation = all.find(({ action }) => action === 'create');
    if (!creation) throw new Error(`booking ${mark} is in the history without its creation`);
    const changes = Map.groupBy(all.filter(({ action }) => action !== 'create' && action !== 'delete'), ({ expectedVersion = 0 }) => expectedVersion);
    return [{ house: creation.house, mark, creation, changes, deletions: all.filter(({ action }) => action === 'delete'), acceptances: accepted.get(mark) ?? [] }];
  });
}

const living = (snapshot: Snapshot, bookingId: string): AssignmentRow[] => snapshot.assignments.filter((row) => row.bookingId === bookingId && !row.ended);

const assignmentText = ({ id, guideId, start, end }: { id: string; guideId: string; start: string; end: string }): string => [id, guideId, start, end].join(' ');

/** What of an answer is not so in the database; empty when all of it is. */
function differences(facts: BookingFacts, row: BookingRow, assignments: readonly AssignmentRow[]): string[] {
  const wrong = (['state', 'start', 'end', 'offerId', 'version'] as const).filter((field) => facts[field] !== row[field]);
  const told = facts.assignments.map(assignmentText).sort().join();
  return told === assignments.map(assignmentText).sort().join() ? wrong : [...wrong, 'assignments'];
}

/** The same for what follows from the input alone. */
function departures(effect: BookingEffect, row: BookingRow, assignments: readonly AssignmentRow[]): string[] {
  const guideIds = assignments.map(({ guideId }) => guideId).sort();
  const wrong: string[] = (['state', 'start', 'end', 'offerId'] as const).filter((field) => effect[field] !== undefined && effect[field] !== row[field]);
  if (effect.guideIds && [...effect.guideIds].sort().join() !== guideIds.join()) wrong.push('guides');
  if (effect.withGuide !== undefined && !guideIds.includes(effect.withGuide)) wrong.push('guide missing');
  if (effect.withoutAssignment !== undefined && assignments.some(({ id }) => id === effect.withoutAssignment)) wrong.push('assignment there');
  return wrong;
}

function checkGone({ house, mark, creation, changes, deletions }: Story): Finding[] {
  const lastOk = Math.max(isOk(creation) ? 0 : -1, ...[...changes].flatMap(([version, asked]) => (asked.some(isOk) ? [version] : [])));
  // One that was never answered, but made upon a version that another change took up, was not made.
  if (lastOk < 0 || deletions.some((op) => isOk(op) || (mayHaveHappened(op) && (op.expectedVersion ?? 0) > lastOk))) return [];
  return [{ check: 'lost effect', house, detail: `the booking of change ${creation.n} (${mark}) is not there` }];
}

function checkLast(story: Story, row: BookingRow, snapshot: Snapshot): Finding[] {
  const accepted = story.acceptances.map((op): Step => ({ ...op, effect: { withGuide: op.guideIds[0] } }));
  const last: Step[] = row.version === 1 ? [story.creation] : [...(story.changes.get(row.version - 1) ?? []).filter(mayHaveHappened), ...accepted];
  const assignments = living(snapshot, row.id);
  const answered = last.find((op) => isOk(op) && op.answer?.version === row.version);
  const problems = last.map((op) => (op === answered && op.answer ? differences(op.answer, row, assignments) : departures(op.effect, row, assignments)));
  const isExplained = answered ? problems[last.indexOf(answered)]?.length === 0 : problems.some((wrong) => wrong.length === 0);
  if (isExplained || last.length === 0) return [];
  const asked = last.map((op, index) => `${op.n} ${op.action} (${problems[index]?.join(', ')})`).join('; ');
  return [{ check: 'lost effect', house: story.house, detail: `booking ${row.id} in version ${row.version} is not what change ${asked} made it` }];
}

/** How many guides have accepted requests for this booking, as the requests say. */
const acceptancesOf = ({ id }: BookingRow, snapshot: Snapshot): number => snapshot.requests.filter(({ bookingId, state }) => bookingId === id && state === 'ACCEPTED').length;

function checkSteps(story: Story, row: BookingRow, snapshot: Snapshot): Finding[] {
  const { house, creation, changes, deletions } = story;
  const findings: Finding[] = [];
  const say = (check: string, detail: string): void => void findings.push({ check, house, detail: `booking ${row.id}: ${detail}` });
  if (creation.outcome.kind === 'refused') say('duplicated effect', `its creation, change ${creation.n}, was refused`);
  for (const op of deletions.filter(isOk)) say('lost effect', `its deletion, change ${op.n}, was answered with ok, and it is there`);
  const versions = Array.from({ length: row.version - 1 }, (_, index) => index + 1);
  const unasked = versions.filter((version) => !changes.get(version)?.some(mayHaveHappened));
  const open = versions.filter((version) => !changes.get(version)?.some(isOk));
  const accepted = acceptancesOf(row, snapshot);
  if (unasked.length > accepted) say('duplicated effect', `nobody asked for the changes of versions ${unasked.join(', ')}, ${accepted} guides accepted`);
  if (accepted > open.length) say('lost effect', `${accepted} guides accepted, in ${open.length} versions at the most`);
  for (const [version, asked] of changes) {
    const ok = asked.filter(isOk);
    if (ok.length > 0 && version >= row.version) say('lost effect', `change ${ok[0]?.n} of version ${version} was answered with ok, the booking is in version ${row.version}`);
    if (ok.length > 1) say('duplicated effect', `changes ${ok.map(({ n }) => n).join(', ')} were all made upon version ${version}`);
  }
  return findings;
}

/** Every change answered with ok is there unless a later one took its place, none is there twice, and none that nobody asked for. */
export function checkBookings(history: readonly Op[], snapshots: Snapshots): Finding[] {
  const findings: Finding[] = [];
  const stories = storiesOf(history);
  const marks = new Set(stories.map(({ mark }) => mark));
  for (const story of stories) {
    const snapshot = at(snapshots, story.house);
    const rows = snapshot.bookings.filter(({ notes }) => notes === story.mark);
    const [row] = rows;
    if (rows.length > 1) findings.push({ check: 'duplicated effect', house: story.house, detail: `change ${story.creation.n} made ${rows.length} bookings: ${rows.map(({ id }) => id).join(', ')}` });
    if (!row) findings.push(...checkGone(story));
    else findings.push(...checkSteps(story, row, snapshot), ...checkLast(story, row, snapshot));
  }
  for (const snapshot of Object.values(snapshots)) {
    for (const { id, notes } of snapshot.bookings) {
      if (!marks.has(notes ?? '')) findings.push({ check: 'duplicated effect', house: snapshot.code, detail: `nobody made booking ${id}` });
    }
    const known = new Map(snapshot.bookings.map((booking) => [booking.id, booking]));
    for (const row of snapshot.assignments) {
      if (row.kind !== 'BOOKING' || row.ended) continue;
      if (known.get(row.bookingId ?? '')?.state !== 'BOOKED') findings.push({ check: 'lost effect', house: snapshot.code, detail: `assignment ${row.id} lives on without a living booking` });
    }
  }
  return findings;
}
