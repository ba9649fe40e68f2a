import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { runMigrations } from 'graphile-worker';
import pg from 'pg';
import { entities } from '../../instance-server/entities.js';
import { InstanceSecret } from '../../instance-server/platform/crypto.js';
import { groupRole, loginRole, roleUrl, RUNTIME_ROLES } from '../../instance-server/platform/database/roles.js';
import { migrations } from '../../migrations/index.js';

/** Who an instance is. Written once; the operator changes it later with `settings`. */
export interface InstanceSettings {
  code: string;
  name: string;
  url: string;
  logo?: string | null;
  homepage?: string | null;
  timeZone: string;
  locale: string;
  currency: string;
}

const identifier = pg.escapeIdentifier;
const literal = pg.escapeLiteral;

/** Instance codes: what partners and gateways accept, and no other issuer's name. */
const CODE = /^[a-z][a-z0-9-]{0,31}$/;
const RESERVED_CODES = new Set(['operator', 'gateway']);

/** Database names: what is safe in role names and file names. */
const NAME = /^[a-z][a-z0-9_-]{0,40}$/;

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const databaseUrl = (adminUrl: string, database: string): string => {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  url.username = '';
  url.password = '';
  return url.toString();
};

/** Group roles hold the rights in every instance database of the cluster; nobody logs in as them. */
export async function createGroupRoles(adminUrl: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    // Roles belong to the cluster: two set-ups at once must not both find one missing.
    await client.query("select pg_advisory_lock(hashtext('lotse.setup'))");
    for (const role of RUNTIME_ROLES) {
      const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [groupRole(role)]);
      if (!rowCount) await client.query(`create role ${groupRole(role)} nologin`);
    }
    // An instance's roles can connect to its own database only; the databases every cluster has would be open to them otherwise.
    for (const database of ['postgres', 'template1']) {
      await client.query(`grant connect on database ${database} to current_user`);
      await client.query(`revoke connect on database ${database} from public`);
    }
  });
}

async function setLoginRoles(adminUrl: string, database: string, secret: InstanceSecret): Promise<void> {
  await withClient(adminUrl, async (client) => {
    await client.query("select pg_advisory_lock(hashtext('lotse.setup'))");
    for (const role of [...RUNTIME_ROLES, 'owner'] as const) {
      const name = loginRole(database, role);
      const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [name]);
      const password = literal(secret.rolePassword(name));
      await client.query(`${rowCount ? 'alter' : 'create'} role ${identifier(name)} login nosuperuser nocreatedb nocreaterole password ${password}`);
      if (role !== 'owner') await client.query(`grant ${groupRole(role)} to ${identifier(name)}`);
    }
    await client.query(`alter database ${identifier(database)} owner to ${identifier(loginRole(database, 'owner'))}`);
    await client.query(`revoke all on database ${identifier(database)} from public`);
    for (const role of RUNTIME_ROLES) await client.query(`grant connect on database ${identifier(database)} to ${identifier(loginRole(database, role))}`);
  });
}

/** Creates the database if it is missing, and sets its roles with the passwords that follow from the secret. */
export async function createDatabaseAndRoles(adminUrl: string, database: string, secret: InstanceSecret, template?: string): Promise<string> {
  if (!NAME.test(database)) throw new Error('a database name has lower-case letters, digits, - and _ and begins with a letter');
  await createGroupRoles(adminUrl);
  await withClient(adminUrl, async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [database]);
    if (!rowCount) await client.query(`create database ${identifier(database)}${template ? ` template ${identifier(template)}` : ''}`);
  });
  await setLoginRoles(adminUrl, database, secret);
  return databaseUrl(adminUrl, database);
}

/** An ORM over the owner's connection; used for migrations and their checks, never by a server. */
export function ownerOrm(url: string, secret: InstanceSecret): Promise<MikroORM> {
  return MikroORM.init({
    entities: [...entities],
    clientUrl: roleUrl(url, 'owner', secret),
    extensions: [Migrator],
    ensureDatabase: false,
    migrations: { migrationsList: migrations, snapshot: false, allOrNothing: false, silent: true },
  });
}

/** Brings a database to this release: the job queue's own schema, then our migrations. Running it twice changes nothing. */
export async function migrate(url: string, secret: InstanceSecret): Promise<string[]> {
  const owner = roleUrl(url, 'owner', secret);
  await runMigrations({ connectionString: owner });
  await withClient(owner, async (client) => {
    await client.query('grant usage on schema graphile_worker to lotse_worker');
    await client.query('grant select, insert, update, delete on all tables in schema graphile_worker to lotse_worker');
    await client.query('grant usage, select on all sequences in schema graphile_worker to lotse_worker');
    await client.query('grant execute on all functions in schema graphile_worker to lotse_worker');
    // The queue's tables are closed to everybody but their owner by row security; servers do not run as owner.
    const closed = await client.query<{ table: string }>(
      `select c.relname as table from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'graphile_worker' and c.relrowsecurity
         and not exists (select 1 from pg_policy p where p.polrelid = c.oid and p.polname = 'lotse_worker')`,
    );
    for (const { table } of closed.rows) {
      await client.query(`create policy lotse_worker on graphile_worker.${identifier(table)} to lotse_worker using (true) with check (true)`);
    }
  });
  const orm = await ownerOrm(url, secret);
  try {
    return (await orm.migrator.up()).map((migration) => migration.name);
  } finally {
    await orm.close(true);
  }
}

/** Writes who the instance is, unless it is written already. */
export async function writeSettings(url: string, secret: InstanceSecret, settings: InstanceSettings): Promise<void> {
  if (!CODE.test(settings.code) || RESERVED_CODES.has(settings.code)) {
    throw new Error('an instance code has up to 32 lower-case letters, digits and -, begins with a letter, and is neither operator nor gateway');
  }
  await withClient(roleUrl(url, 'owner', secret), async (client) => {
    await client.query(
      `insert into settings (code, name, url, logo, homepage, time_zone, locale, currency)
       values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
      [settings.code, settings.name, settings.url, settings.logo ?? null, settings.homepage ?? null, settings.timeZone, settings.locale, settings.currency],
    );
  });
}

/** All of it: database, roles, migrations, settings. Safe to repeat; an upgrade is the same call with a newer release. */
export async function provision(adminUrl: string, database: string, secretText: string, settings: InstanceSettings): Promise<{ url: string; applied: string[] }> {
  const secret = new InstanceSecret(secretText);
  const url = await createDatabaseAndRoles(adminUrl, database, secret);
  const applied = await migrate(url, secret);
  await writeSettings(url, secret, settings);
  return { url, applied };
}
