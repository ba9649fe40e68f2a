import { InvalidArgumentError } from 'commander';
import { type Coupling, InstanceUnreachable, type Link, OperatorRefusal } from './client.js';
import { LinkContradiction } from './connect.js';
import { KeyFileError } from './keys.js';

/** Exit codes, for scripts. */
export const EXIT = { ok: 0, failed: 1, usage: 2, refused: 3, unauthenticated: 4, unreachable: 5 } as const;

/** Input of the operator that makes no sense; told without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof OperatorRefusal) return error.status === 401 ? EXIT.unauthenticated : EXIT.refused;
  if (error instanceof LinkContradiction) return EXIT.refused;
  if (error instanceof InstanceUnreachable) return EXIT.unreachable;
  if (error instanceof UsageError || error instanceof KeyFileError || error instanceof InvalidArgumentError) return EXIT.usage;
  return EXIT.failed;
}

/** What `--json` prints on standard error when a command fails. */
export function errorFacts(error: unknown): Record<string, unknown> {
  const message = error instanceof Error ? error.message : 'unknown error';
  if (error instanceof OperatorRefusal) return { ...error.facts, code: error.code, instance: error.instance, message };
  return { code: error instanceof Error ? error.name : 'UNKNOWN', message };
}

/** `name   value`, one member a line. */
export function members(value: object): string {
  const entries = Object.entries(value);
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, member]) => `${name.padEnd(width)}  ${member === null ? '(none)' : String(member)}`).join('\n');
}

export const linkState = (link: Link): string =>
  [link.state, link.suspendedHere && 'suspended here', link.suspendedThere && 'suspended by the partner'].filter(Boolean).join(', ');

export const couplingState = ({ state, pausedHere, pausedThere }: Coupling): string =>
  [state, pausedHere && 'paused here', pausedThere && 'paused by the partner'].filter(Boolean).join(', ');

export function couplingTable(couplings: readonly Coupling[]): string {
  if (couplings.length === 0) return 'No couplings.';
  return table([['COUPLING', 'GUIDE HERE', 'SINCE', 'STATE'], ...couplings.map((coupling) => [coupling.id, coupling.guideId ?? '-', coupling.since ?? '-', couplingState(coupling)])]);
}

export function linkTable(links: readonly Link[]): string {
  if (links.length === 0) return 'No links.';
  return table([['CODE', 'NAME', 'STATE', 'ENDPOINT', 'LINK'], ...links.map((link) => [link.partnerCode, link.partnerName || '-', linkState(link), link.partnerEndpoint || '-', link.id])]);
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
}
