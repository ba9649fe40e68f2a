import { Client, escapeIdentifier } from 'pg';

/*
 * The cluster is made by global-setup.ts, once for a whole run and shared by all workers. A test owns its databases, not
 * the cluster: roles are common to all databases, so their names must be the test's own too.
 */

function fromSetup(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run this through Jest, whose global setup starts PostgreSQL.`);
  return value;
}

/** URL of the superuser to the database `postgres`. */
export const adminUrl = (): string => fromSetup('LOTSE_TEST_ADMIN_URL');

/** PostgreSQL's log of this run; a line is in it before the client hears of the error. */
export const postgresLogPath = (): string => fromSetup('LOTSE_TEST_POSTGRES_LOG');

/** URL of the superuser, or of another login role, to a database of the cluster. */
export function databaseUrl(database: string, login?: { user: string; password: string }): string {
  const url = new URL(adminUrl());
  url.pathname = `/${encodeURIComponent(database)}`;
  if (login !== undefined) {
    url.username = encodeURIComponent(login.user);
    url.password = encodeURIComponent(login.password);
  }
  return url.href;
}

/** One superuser's session in the database `postgres`, for as long as `work` takes. */
export async function asAdmin<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const quoted = (name: string): string => escapeIdentifier(name);

/** Makes an empty database, or a copy of a template made by {@link ensureTemplate}; resolves to the superuser's URL to it. */
export async function createDatabase(name: string, options: { template?: string } = {}): Promise<string> {
  // template0, not template1: that one accepts connections, and a copy fails while anybody is connected to its source.
  const template = options.template ?? 'template0';
  await asAdmin((client) => client.query(`CREATE DATABASE ${quoted(name)} TEMPLATE ${quoted(template)}`));
  return databaseUrl(name);
}

/** Also ends the sessions that are still open in it. Nothing happens if there is no such database. */
export async function dropDatabase(name: string): Promise<void> {
  await asAdmin((client) => client.query(`DROP DATABASE IF EXISTS ${quoted(name)} WITH (FORCE)`));
}

/**
 * Makes the template database `name` once per cluster, whichever worker comes first; the others wait for it. `build`
 * gets the superuser's URL to an empty database and must have closed its connections when it resolves. If it fails, the
 * next caller starts afresh. Afterwards nobody can connect to the template, so it can be copied at any time.
 */
export async function ensureTemplate(name: string, build: (url: string) => Promise<void>): Promise<void> {
  await asAdmin(async (client) => {
    // Held until the session ends, so it is given back even if this worker is killed.
    await client.query(`SELECT pg_advisory_lock(hashtextextended($1, 0))`, [`template ${name}`]);
    const { rowCount } = await client.query(`SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate`, [name]);
    if (rowCount === 1) return;
    await client.query(`DROP DATABASE IF EXISTS ${quoted(name)} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${quoted(name)} TEMPLATE template0`);
    await build(databaseUrl(name));
    await client.query(`ALTER DATABASE ${quoted(name)} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true`);
  });
}
