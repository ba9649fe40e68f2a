import { writeFile } from 'node:fs/promises';
import type { Finding, Op } from '../checker/index.js';

interface FaultRecord {
  readonly from: number;
  to?: number;
  readonly kind: string;
  readonly of: string;
  detail: string;
}

/** What was done and what went wrong on purpose, with moments in milliseconds since the start. */
export class Recorder {
  readonly started = Date.now();
  readonly ops: Op[] = [];
  readonly faults: FaultRecord[] = [];
  readonly findings: Finding[] = [];
  /** Changes that were made for certain. */
  changes = 0;
  #numbers = 0;

  now(): number {
    return Date.now() - this.started;
  }

  number(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  add(op: Op): void {
    this.ops.push(op);
    if (op.outcome.kind === 'ok') this.changes += 1;
  }

  find(findings: readonly Finding[]): void {
    this.findings.push(...findings);
  }

  /** Gives what ends it; that may know more of it. */
  fault(kind: string, of: string, detail: string): (more?: string) => void {
    const record: FaultRecord = { from: this.now(), kind, of, detail };
    this.faults.push(record);
    return (more) => {
      record.to = this.now();
      if (more !== undefined) record.detail += `; ${more}`;
    };
  }

  /** How often each kind of change was made, refused (and why), or left open. */
  summary(): Record<string, Record<string, number>> {
    const summary: Record<string, Record<string, number>> = {};
    for (const op of this.ops) {
      const kind = 'action' in op ? `${op.subject} ${op.action}` : op.subject;
      const outcome = op.outcome.kind === 'refused' ? op.outcome.code : op.outcome.kind === 'unknown' ? `? ${op.outcome.why}` : 'ok';
      const counts = (summary[kind] ??= {});
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    return summary;
  }

  /** One JSON text a line: findings, faults, changes. No content of any change is among them, ids and kinds only. */
  async write(file: string, seed: number): Promise<void> {
    const lines = [
      { seed, started: new Date(this.started).toISOString() },
      ...this.findings.map((finding) => ({ finding })),
      ...this.faults.map((fault) => ({ fault })),
      ...this.ops.map((op) => ({ change: bare(op) })),
    ];
    await writeFile(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
  }
}

/** Without the texts that were written. */
function bare(op: Op): object {
  if (op.subject === 'profile') return { ...op, values: Object.keys(op.values) };
  if (op.subject === 'setting') return { ...op, blockTitle: undefined };
  if (op.subject === 'offer') return { ...op, title: undefined };
  return op;
}
