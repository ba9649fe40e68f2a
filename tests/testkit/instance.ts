import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Client, escapeIdentifier } from 'pg';
import { pino } from 'pino';
import { readConfig } from '../../instance-server/config.js';
import { InstanceSecret } from '../../instance-server/platform/crypto.js';
import { loginRole, roleUrl, RUNTIME_ROLES, type RuntimeRole } from '../../instance-server/platform/database/roles.js';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { startInstance } from '../../instance-server/server.js';
import { type SpawnedNode, spawnNode } from '../../scripts/processes/spawn.js';
import { createDatabaseAndRoles, type InstanceSettings, migrate, writeSettings } from '../../scripts/setup/provision.js';
import { TestClock } from './clock.js';
import { gatewayKey, jwks, operatorKey } from './keys.js';
import { adminUrl, asAdmin, dropDatabase, ensureTemplate } from './postgres.js';

/** Holds every migration; each test's database is a copy of it. */
const TEMPLATE = 'lotse_instance_template';

/** A database with its roles and settings; servers are started on it with {@link startInstanceHere} or {@link startInstanceProcess}. */
export interface TestInstance {
  readonly code: string;
  readonly database: string;
  /** Host, port and database, without a user; what a server gets as DATABASE_URL. */
  readonly databaseUrl: string;
  readonly secret: string;
  /** With the user and password of one of its login roles. */
  roleUrl(role: RuntimeRole | 'owner'): string;
  /** Removes database and roles; servers on it are stopped before. */
  drop(): Promise<void>;
}

async function buildTemplate(): Promise<void> {
  await ensureTemplate(TEMPLATE, async (superuserUrl) => {
    const secret = new InstanceSecret(randomBytes(32).toString('base64url'));
    await migrate(await createDatabaseAndRoles(adminUrl(), TEMPLATE, secret), secret);
    const client = new Client({ connectionString: superuserUrl });
    await client.connect();
    // Its tables stay its owner's in every copy, and foreign keys are checked as their owner, who owns no copy.
    await client.query(`GRANT USAGE ON SCHEMA public TO ${escapeIdentifier(loginRole(TEMPLATE, 'owner'))}`);
    await client.end();
  });
}

/** A new instance of its own: nothing but its settings is in it. */
export async function createInstance(settings: Partial<InstanceSettings> & { code: string }): Promise<TestInstance> {
  await buildTemplate();
  const { code } = settings;
  const database = `test_${code.slice(0, 20)}_${randomBytes(5).toString('hex')}`;
  const secretText = randomBytes(32).toString('base64url');
  const secret = new InstanceSecret(secretText);
  const databaseUrl = await createDatabaseAndRoles(adminUrl(), database, secret, TEMPLATE);
  const owner = loginRole(database, 'owner');
  // The copied tables belong to the template's owner still. As its member the copy's owner is theirs too.
  await asAdmin((client) => client.query(`GRANT ${escapeIdentifier(loginRole(TEMPLATE, 'owner'))} TO ${escapeIdentifier(owner)}`));
  await writeSettings(databaseUrl, secret, {
    name: `House ${code}`,
    url: `https://${code}.example`,
    timeZone: 'Europe/Berlin',
    locale: 'de-DE',
    currency: 'EUR',
    ...settings,
  });
  return {
    code,
    database,
    databaseUrl,
    secret: secretText,
    roleUrl: (role) => roleUrl(databaseUrl, role, secret),
    drop: async () => {
      await dropDatabase(database);
      await asAdmin(async (client) => {
        for (const role of [...RUNTIME_ROLES, 'owner'] as const) await client.query(`DROP ROLE IF EXISTS ${escapeIdentifier(loginRole(database, role))}`);
      });
    },
  };
}

/** Settings a server needs to run on this instance; it listens on a free port and accepts the test's gateway and operator. */
export const instanceEnvironment = (instance: TestInstance, env: Record<string, string> = {}): Record<string, string> => ({
  NODE_ENV: 'test',
  HOST: '127.0.0.1',
  PORT: '0',
  DATABASE_URL: instance.databaseUrl,
  DATABASE_POOL_SIZE: '5',
  INSTANCE_SECRET: instance.secret,
  GATEWAY_PUBLIC_KEYS: jwks(gatewayKey),
  OPERATOR_PUBLIC_KEYS: jwks(operatorKey),
  ...env,
});

export interface InstanceProcess {
  readonly code: string;
  readonly url: string;
  readonly port: number;
  readonly process: SpawnedNode;
  /** Lines of its log, oldest first. */
  readonly log: string[];
  /** SIGTERM, and SIGKILL for one that does not end within its grace. */
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 10_000;

/** A server of its own process, from dist: `npm run build` comes before. */
export async function startInstanceProcess(instance: TestInstance, env: Record<string, string> = {}): Promise<InstanceProcess> {
  const entry = join(projectRoot, 'dist/instance-server/main.js');
  if (!existsSync(entry)) throw new Error('dist/ is not built; run `npm run build`');
  const log: string[] = [];
  const child = await spawnNode(entry, {
    env: instanceEnvironment(instance, env),
    name: `instance ${instance.code}`,
    onLine: (line) => void log.push(line),
    readyTimeoutMs: 30_000,
  });
  return {
    code: instance.code,
    url: child.ready.url,
    port: child.ready.port,
    process: child,
    log,
    stop: async () => void (await child.stop(STOP_GRACE_MS)),
  };
}

export interface InstanceHere {
  readonly code: string;
  readonly url: string;
  readonly port: number;
  readonly clock: TestClock;
  /** Lines of its log, oldest first. */
  readonly log: string[];
  stop(): Promise<void>;
}

/** A server in this process, from the sources, with a clock the test can move. */
export async function startInstanceHere(
  instance: TestInstance,
  { clock = new TestClock(), env = {} }: { clock?: TestClock; env?: Record<string, string> } = {},
): Promise<InstanceHere> {
  const log: string[] = [];
  const lines = new Writable({
    write(chunk, _encoding, done) {
      log.push(String(chunk).trimEnd());
      done();
    },
  });
  const config = readConfig(instanceEnvironment(instance, env));
  const server = await startInstance(config, pino({ level: config.LOG_LEVEL }, lines), clock);
  return { code: server.code, url: server.url, port: server.port, clock, log, stop: () => server.close() };
}
