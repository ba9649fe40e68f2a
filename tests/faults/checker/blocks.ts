import type { BlockOp, Finding, Op } from './history.js';
import { at, type Snapshots } from './replicas.js';
import type { AssignmentRow } from './snapshot.js';

const isOk = (op: Op): boolean => op.outcome.kind === 'ok';

/** What a change made of a block, as far as its input says. */
function isAfter({ action, effect, answer }: BlockOp, row: AssignmentRow): boolean {
  if (row.ended !== (action === 'end')) return false;
  if (answer) return answer.version === row.version && answer.guideId === row.guideId && answer.start === row.start && answer.end === row.end;
  return (effect.guideId ?? row.guideId) === row.guideId && (effect.start ?? row.start) === row.start && (effect.end ?? row.end) === row.end;
}

function checkBlock(house: string, ops: readonly BlockOp[], row: AssignmentRow): Finding[] {
  const findings: Finding[] = [];
  const say = (check: string, detail: string): void => void findings.push({ check, house, detail: `block ${row.id}: ${detail}` });
  const may = ops.filter(({ outcome }) => outcome.kind !== 'refused');
  if (!may.some(({ action }) => action === 'create')) say('duplicated effect', 'its creation was refused');
  for (let version = 1; version < row.version; version += 1) {
    if (!may.some(({ expectedVersion }) => expectedVersion === version)) say('duplicated effect', `nobody asked for the change of version ${version}`);
  }
  for (const op of ops.filter((each) => isOk(each) && (each.expectedVersion ?? 0) >= row.version)) say('lost effect', `change ${op.n} was answered with ok, the block is in version ${row.version}`);
  // The answer of a repetition tells of what came later too: it explains what it tells of.
  const last = may.filter(({ expectedVersion = 0, answer }) => expectedVersion === row.version - 1 || answer?.version === row.version);
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
    if (row) findings.push(...checkBlock(house, ops, row));
    else if (ops.some(isOk)) findings.push({ check: 'lost effect', house, detail: `the block of change ${ops[0]?.n} is not there` });
  }
  for (const { code, assignments } of Object.values(snapshots)) {
    for (const { id, kind, note } of assignments) {
      if (kind === 'BLOCK' && !byMark.has(note ?? '')) findings.push({ check: 'duplicated effect', house: code, detail: `nobody made block ${id}` });
    }
  }
  return findings;
}
