import { createRequire } from 'node:module';
import { join } from 'node:path';
import pg from 'pg';
import { projectRoot } from '../../instance-server/platform/project-root.js';

export interface Statement {
  /** `app`, `guide`, `partner` or `worker`: the login role whose pool ran it. */
  role: string;
  text: string;
}

type Query = (this: pg.Client & { connectionParameters: { application_name?: string } }, ...args: unknown[]) => unknown;

interface Driver {
  Client: { prototype: { query: Query } };
}

/** Our own driver and the ORM's, which may be a copy of its own; the copies that the code in this test file uses. */
const drivers = (): Set<Driver['Client']['prototype']> => {
  const ofOrm = createRequire(join(projectRoot, 'node_modules/@mikro-orm/postgresql/package.json'))('pg') as Driver;
  return new Set([(pg as unknown as Driver).Client.prototype, ofOrm.Client.prototype]);
};

const textOf = (config: unknown): string => (typeof config === 'string' ? config : String((config as { text?: unknown }).text));

/**
 * The SQL that servers in this process send while `work` runs, transactions' own statements included; the event connection and
 * the job queue, which work by the clock, are left out.
 */
export async function recordStatements(work: () => Promise<unknown>): Promise<Statement[]> {
  const statements: Statement[] = [];
  const wrapped = [...drivers()].map((prototype) => ({ prototype, original: prototype.query }));
  for (const { prototype, original } of wrapped) {
    prototype.query = function (...args) {
      const role = /^lotse-(app|guide|partner|worker)$/.exec(this.connectionParameters.application_name ?? '')?.[1];
      if (role) statements.push({ role, text: textOf(args[0]) });
      return original.apply(this, args);
    };
  }
  try {
    await work();
  } finally {
    for (const { prototype, original } of wrapped) prototype.query = original;
  }
  return statements;
}

/** Those that requests send while `work` runs: without the worker's, who also works by the clock. */
export async function requestStatements(work: () => Promise<unknown>): Promise<Statement[]> {
  return (await recordStatements(work)).filter(({ role }) => role !== 'worker');
}

/** How many of them. */
export const statementsOf = async (work: () => Promise<unknown>): Promise<number> => (await requestStatements(work)).length;
