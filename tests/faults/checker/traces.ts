import type { Client } from 'pg';
import { everCoupled, type Finding, type World } from './history.js';

/*
 * Texts that exist once in the world, one in every personal or public text that the workload writes, and where each may be found.
 */

/**
 * `private`: of one house and nobody else's business. `title`: an offer's public title, which the guide sees in the houses that couple
 * him, kept there among the foreign bookings alone. `profile`: travels to every house that couples the person.
 */
export type TraceKind = 'private' | 'title' | 'profile';

export interface Trace {
  readonly token: string;
  readonly house: string;
  readonly kind: TraceKind;
  readonly field: string;
  /** Whose profile. */
  readonly person?: string;
}

const PATTERN = /zq[a-z0-9]{14}/gi;
/** Shortest run of base64 that can hide a token with a byte of something else on each side. */
const BASE64 = /[A-Za-z0-9+/_-]{22,}/g;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

export class Traces {
  readonly #known = new Map<string, Trace>();

  constructor(private readonly below: (limit: number) => number) {}

  /** A new one; letters and digits only, so that it survives any escaping. */
  plant(house: string, kind: TraceKind, field: string, person?: string): string {
    const token = `zq${Array.from({ length: 14 }, () => LETTERS[this.below(LETTERS.length)]).join('')}`;
    this.#known.set(token, { token, house, kind, field, ...(person !== undefined && { person }) });
    return token;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Those that a text holds, plain or wrapped in base64 as in cursors and tokens. */
  in(text: string): Trace[] {
    const tokens = new Set(direct(text));
    for (const [run] of text.matchAll(BASE64)) {
      // A run may begin anywhere within a group of four.
      for (let shift = 0; shift < 4; shift += 1) for (const token of direct(Buffer.from(run.slice(shift), 'base64').toString('latin1'))) tokens.add(token);
    }
    return [...tokens].flatMap((token) => this.#known.get(token) ?? []);
  }
}

function direct(text: string): string[] {
  return Array.from(text.matchAll(PATTERN), ([token]) => token.toLowerCase());
}

const coupledHouses = (world: World, name: string | undefined): ReadonlySet<string> => {
  const person = world.persons.find((candidate) => candidate.name === name);
  return new Set(person && everCoupled(person));
};

/** Tables of another house in which a text may be found, beside its own. */
function mayBeIn(world: World, trace: Trace, house: string, table: string): boolean {
  if (trace.house === house) return true;
  if (trace.kind === 'title') return table === 'foreign_booking';
  if (trace.kind === 'profile') return coupledHouses(world, trace.person).has(house) && (table === 'guide' || table === 'audit_entry' || table === 'coupling');
  return false;
}

const found = (trace: Trace, where: string, house: string): Finding => ({ check: 'leak', house, detail: `${trace.kind} text (${trace.field}) of ${trace.house} in ${where}` });

/** Every row of every table, queue included, as text. */
export async function leaksInDatabase(client: Client, house: string, world: World, traces: Traces): Promise<Finding[]> {
  const tables = await client.query<{ schema: string; table: string }>(
    `select n.nspname as schema, c.relname as table from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%' order by 1, 2`,
  );
  const findings: Finding[] = [];
  for (const { schema, table } of tables.rows) {
    const { rows } = await client.query<{ row: string }>(`select t::text as row from ${schema}."${table}" t`);
    for (const trace of traces.in(rows.map(({ row }) => row).join('\n'))) {
      if (!mayBeIn(world, trace, house, table)) findings.push(found(trace, `table ${table}`, house));
    }
  }
  return findings;
}

/** Logs hold nothing that anybody wrote, of whatever house. */
export function leaksInLog(text: string, house: string, traces: Traces): Finding[] {
  return traces.in(text).map((trace) => found(trace, 'the log', house));
}

export interface Viewer {
  readonly house: string;
  readonly role: 'STAFF' | 'GUIDE';
  /** Who, if he is a guide. */
  readonly person?: string;
}

/** What an answer to this viewer must not hold. */
export function leaksInAnswer(text: string, viewer: Viewer, world: World, traces: Traces): Finding[] {
  const isAllowed = (trace: Trace): boolean => {
    if (trace.house === viewer.house) return true;
    if (trace.kind === 'profile') return coupledHouses(world, trace.person).has(viewer.house) && (viewer.role === 'STAFF' || viewer.person === trace.person);
    return trace.kind === 'title' && viewer.role === 'GUIDE' && coupledHouses(world, viewer.person).has(trace.house);
  };
  return traces
    .in(text)
    .filter((trace) => !isAllowed(trace))
    .map((trace) => found(trace, `an answer to ${viewer.role} of ${viewer.house}`, viewer.house));
}
