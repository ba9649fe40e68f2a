import type { BlockOp, Finding, Op } from './history.js';
import { at, type Snapshots } from './replicas.js';
import type { AssignmentRow } from './snapshot.js';

const isOk = (op: Op): boolean => op.outcome.kind === 'ok';

/** What a change made of a block, as far as its input says. */
function isAfter({ action, effect, answer }: BlockOp, row: AssignmentRow): boolean {
  if (row.ended !== (action === 'end')) return false;
  if (answer) return answer.version <= row.version && answer.guideId === row.guideId && answer.start === row.start && answer.end === row.end;
  return (effect.guideId ?? row.guideId) === row.guideId && (effect.start ?? row.start) === row.start && (effect.end ?? row.end) === row.end;
}

/** The changes of which one was the last. Another title, which has no part in what is compared here, may have come after it. */
function lastOf(may: readonly BlockOp[], version: number, titles: number): BlockOp[] {
  const last: BlockOp[] = [];
  for (let made = version; made > 0 && made >= version - titles; made -= 1) {
    // The answer of a repetition tells of what came later too: it explains what it tells of.
    const here = may.filter(({ expectedVersion = 0, answer }) => expectedVersion === made - 1 || answer?.version === made);
    last.push(...here);
    if (here.some((op) => isOk(op) && (op.expectedVersion ?? 0) === made - 1)) break;
  }
  return last;
}

/** `titles`: how often all blocks of the house may have been given another title, which is another version of each. */
function checkBlock(house: string, ops: readonly BlockOp[], row: AssignmentRow, titles: number): Finding[] {
  const findings: Finding[] = [];
  const say = (check: string, detail: string): void => void findings.push({ check, house, detail: `block ${row.id}: ${detail}` });
  const may = ops.filter(({ outcome }) => outcome.kind !== 'refused');
  if (!may.some(({ action }) => action === 'create')) say('duplicated effect', 'its creation was refused');
  const versions = Array.from({ length: row.version - 1 }, (_, index) => index + 1);
  const unasked = versions.filter((version) => !may.some(({ expectedVersion }) => expectedVersion === version));
  if (unasked.length > titles) say('duplicated effect', `nobody asked for the changes of versions ${unasked.join(', ')}, ${titles} other titles at the most`);
  for (const op of ops.filter((each) => isOk(each) && (each.expectedVersion ?? 0) >= row.version)) say('lost effect', `change ${op.n} was answered with ok, the block is in version ${row.version}`);
  const last = lastOf(may, row.version, titles);
  if (!last.some((op) => isAfter(op, row))) say('lost effect', `is not what its last change made it (${last.map(({ n, action }) => `${n} ${action}`).join(', ')})`);
  return findings;
}

/** Blocks of staff: made, moved and ended as was answered, once. */
export function checkBlocks(history: readonly Op[], snapshots: Snapshots): Finding[] {
  const byMark = Map.groupBy(history.filter((op): op is BlockOp => op.subject === 'block'), ({ mark }) => mark);
  const findings: Finding[] = [];
  for (const [mark, ops] of byMark) {
    const house = ops[0]?.house ?? '';
    const rows = at(snapshots, house).assignments.filter(({ note }) => note === mark);
    const [row] = rows;
    if (rows.length > 1) findings.push({ check: 'duplicated effect', house, detail: `change ${ops[0]?.n} made ${rows.length} blocks: ${rows.map(({ id }) => id).join(', ')}` });
    const titles = history.filter((op) => op.subject === 'setting' && op.house === house && op.outcome.kind !== 'refused').length;
    if (row) findings.push(...checkBlock(house, ops, row, titles));
    else if (ops.some(isOk)) findings.push({ check: 'lost effect', house, detail: `the block of change ${ops[0]?.n} is not there` });
  }
  for (const { code, assignments } of Object.values(snapshots)) {
    for (const { id, kind, note } of assignments) {
      if (kind === 'BLOCK' && !byMark.has(note ?? '')) findings.push({ check: 'duplicated effect', house: code, detail: `nobody made block ${id}` });
    }
  }
  return findings;
}
