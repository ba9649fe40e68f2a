import type { ControlOp, Finding, Op, SettingOp } from './history.js';
import { at, type Snapshots } from './replicas.js';
import type { Snapshot } from './snapshot.js';

/** One key signs, its partner has it, and the others run out; there are as many as were made. */
function checkKeys(snapshot: Snapshot, partner: Snapshot, rotations: readonly ControlOp[]): Finding[] {
  const say = (check: string, detail: string): Finding => ({ check, house: snapshot.code, detail: `link with ${partner.code}: ${detail}` });
  const own = snapshot.keys.filter((key) => key.partner === partner.code && key.side === 'OWN');
  const signing = own.filter(({ isInUse, runsOut }) => isInUse && !runsOut);
  const findings: Finding[] = [];
  if (signing.length !== 1) findings.push(say('key', `${signing.length} own keys sign`));
  for (const { kid } of signing) {
    const pinned = partner.keys.find((key) => key.partner === snapshot.code && key.side === 'PARTNER' && key.kid === kid);
    if (!pinned || pinned.runsOut) findings.push(say('key', `key ${kid} signs, ${partner.code} ${pinned ? 'lets it run out' : 'does not have it'}`));
  }
  // One that waits to be handed over is used by the next rotation.
  if (own.length > 1 + rotations.length) findings.push(say('duplicated effect', `${own.length} own keys after ${rotations.length} rotations at the most`));
  if (own.length === 1 && rotations.some(({ outcome }) => outcome.kind === 'ok')) findings.push(say('lost effect', 'it has its first key, after a rotation'));
  return findings;
}

/** Keys of links, where there are any, and what operators have set. */
export function checkLinks(history: readonly Op[], snapshots: Snapshots): Finding[] {
  const findings: Finding[] = [];
  for (const snapshot of Object.values(snapshots)) {
    for (const partner of new Set(snapshot.keys.map((key) => key.partner))) {
      const rotations = history.filter((op): op is ControlOp => op.subject === 'link' && op.action === 'rotate' && op.house === snapshot.code && op.of === partner && op.outcome.kind !== 'refused');
      findings.push(...checkKeys(snapshot, at(snapshots, partner), rotations));
    }
    const titles = history.filter((op): op is SettingOp => op.subject === 'setting' && op.house === snapshot.code && op.outcome.kind !== 'refused');
    const last = titles.findLast(({ outcome }) => outcome.kind === 'ok');
    if (last && !titles.some((op) => (op === last || op.outcome.kind === 'unknown') && op.blockTitle === snapshot.blockTitle)) {
      findings.push({ check: 'lost effect', house: snapshot.code, detail: `the title of blocks is not what change ${last.n} made it` });
    }
  }
  return findings;
}
