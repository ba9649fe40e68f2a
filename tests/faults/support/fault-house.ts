import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Client } from 'pg';
import { projectRoot } from '../../../instance-server/platform/project-root.js';
import { OperatorClient } from '../../../scripts/operator/client.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../scripts/postgres/embedded.js';
import { provision } from '../../../scripts/setup/provision.js';
import { ServerProcess } from '../../testkit/federation-processes.js';
import { gatewayKey, jwks, operatorKey } from '../../testkit/keys.js';

/** As a URL, so that no folder's name needs quoting. */
const CLOCK_PRELOAD = pathToFileURL(join(projectRoot, 'tests', 'faults', 'support', 'clock-preload.ts')).href;

/** Crashes of processes are survived, which is what is tested; those of the machine need not be. */
const CLUSTER_SETTINGS = {
  synchronous_commit: 'on',
  shared_buffers: '32MB',
  max_connections: '80',
  log_min_messages: 'warning',
  log_statement: 'none',
};
const SAME_PORT_ATTEMPTS = 5;
const ANSWER_MS = 5_000;

/** A PostgreSQL cluster that comes back where it was. */
export class Cluster {
  #running: EmbeddedPostgres | undefined;
  #port = 0;

  private constructor(
    readonly dataDirectory: string,
    readonly logFile: string,
  ) {}

  static async start(folder: string, name: string): Promise<Cluster> {
    const cluster = new Cluster(join(folder, `cluster-${name}`), join(folder, `postgres-${name}.log`));
    await cluster.start();
    return cluster;
  }

  async start(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const server = await startEmbeddedPostgres({ dataDirectory: this.dataDirectory, logFile: this.logFile, port: this.#port, durable: false, settings: CLUSTER_SETTINGS });
      if (this.#port === 0 || server.port === this.#port) {
        this.#running = server;
        this.#port = server.port;
        return;
      }
      await server.stop('fast');
      if (attempt === SAME_PORT_ATTEMPTS) throw new Error(`somebody has taken the port of ${this.dataDirectory}`);
    }
  }

  get adminUrl(): string {
    if (!this.#running) throw new Error(`${this.dataDirectory} does not run`);
    return this.#running.adminUrl;
  }

  /** The directory that is really used. */
  get files(): string {
    return this.#running?.dataDirectory ?? this.dataDirectory;
  }

  /** As `pg_ctl -m immediate` does: no checkpoint, no goodbye. */
  async crash(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop('immediate');
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop('fast');
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }
}

/** What a process takes for the present time, and has taken. */
export class ShiftedClock {
  readonly #changes: { at: number; offset: number }[] = [{ at: 0, offset: 0 }];

  constructor(readonly file: string) {}

  async set(offset: number): Promise<void> {
    this.#changes.push({ at: Date.now(), offset });
    await writeFile(this.file, String(offset));
  }

  /** How far ahead it has been at the most, milliseconds. */
  get furthestAhead(): number {
    return Math.max(...this.#changes.map(({ offset }) => offset));
  }

  /** What it showed at the least at this moment or later, while the process may have read an older setting for this long. */
  atLeast(moment: number, staleMs: number): number {
    const before = this.#changes.findLast(({ at }) => at <= moment - staleMs);
    const since = this.#changes.filter(({ at }) => at > moment - staleMs);
    return moment + Math.min(...[...(before ? [before] : []), ...since].map(({ offset }) => offset));
  }
}

export interface FaultHouseOptions {
  readonly code: string;
  readonly folder: string;
  /** Processes on its one database. */
  readonly processes: number;
  /** Further settings. */
  readonly settings: Record<string, string>;
}

/** One instance: its own cluster, its own processes, its own clock. */
export class FaultHouse {
  readonly operator: OperatorClient;

  private constructor(
    readonly code: string,
    readonly secret: string,
    readonly cluster: Cluster,
    /** One at least. Partners, gateway and operator speak with the first. */
    readonly servers: readonly ServerProcess[],
    readonly clock: ShiftedClock,
    readonly databaseUrl: string,
  ) {
    this.operator = new OperatorClient(this.server.url, operatorKey);
  }

  get server(): ServerProcess {
    return this.servers[0] as ServerProcess;
  }

  static async start({ code, folder, processes, settings }: FaultHouseOptions): Promise<FaultHouse> {
    const cluster = await Cluster.start(folder, code);
    try {
      const secret = randomBytes(32).toString('base64url');
      const identity = { code, name: `House ${code}`, url: `https://${code}.example`, timeZone: 'Europe/Berlin', locale: 'de-DE', currency: 'EUR' };
      const { url } = await provision(cluster.adminUrl, code, secret, identity);
      const clock = new ShiftedClock(join(folder, `clock-${code}`));
      await clock.set(0);
      const environment = {
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        DATABASE_URL: url,
        DATABASE_POOL_SIZE: '6',
        INSTANCE_SECRET: secret,
        GATEWAY_PUBLIC_KEYS: jwks(gatewayKey),
        OPERATOR_PUBLIC_KEYS: jwks(operatorKey),
        LOG_LEVEL: 'info',
        MAIL_DIRECTORY: join(folder, `mail-${code}`),
        LIMIT_LOGIN_PER_ACCOUNT_AND_ADDRESS: '1000000',
        LIMIT_LOGIN_PER_ADDRESS: '1000000',
        LIMIT_LOGIN_PER_ACCOUNT: '1000000',
        CLOCK_FILE: clock.file,
        NODE_OPTIONS: `--import ${CLOCK_PRELOAD}`,
        ...settings,
      };
      const servers: ServerProcess[] = [];
      for (let number = 1; number <= processes; number += 1) {
        servers.push(await ServerProcess.start(`instance ${code} ${number}`, 'instance-server', environment, join(folder, `${code}-${number}.log`)));
      }
      return new FaultHouse(code, secret, cluster, servers, clock, url);
    } catch (error) {
      await cluster.crash();
      throw error;
    }
  }

  /** One superuser's session in its database, for as long as `work` takes. */
  async asSuperuser<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const url = new URL(this.cluster.adminUrl);
    url.pathname = `/${this.code}`;
    const client = new Client({ connectionString: url.href });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** What its processes and its database are at, for whoever has to find out why a run broke off. */
  async doing(): Promise<string[]> {
    const ofServers = this.servers.map(async (server) => {
      const state = await readFile(`/proc/${server.pid}/status`, 'utf8').then((text) => /^State:\s*(.*)$/m.exec(text)?.[1], () => 'gone');
      const answer = await fetch(`${server.url}/metrics`, { signal: AbortSignal.timeout(ANSWER_MS) }).then(({ status }) => `answers ${status}`, (error: Error) => `does not answer (${error.name})`);
      return `${server.name}: ${state}, ${answer}`;
    });
    const ofDatabase = this.asSuperuser((client) =>
      client.query<{ line: string }>(
        `select concat_ws(' ', pid, application_name, state, wait_event_type, wait_event, now() - xact_start, pg_blocking_pids(pid)::text, left(regexp_replace(query, '\\s+', ' ', 'g'), 120)) as line
         from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by pid`,
      ),
    ).then(({ rows }) => rows.map(({ line }) => `${this.code}: ${line}`), (error: Error) => [`${this.code}: ${error.message}`]);
    // It may be the one that does not answer.
    const silence = pause(ANSWER_MS, [`${this.code}: its database does not answer`]);
    return [...(await Promise.all(ofServers)), ...(await Promise.race([ofDatabase, silence]))];
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    await this.cluster.crash();
  }
}

/** Preload and clock of a gateway, for its environment. */
export const clockEnvironment = (clock: ShiftedClock): Record<string, string> => ({ CLOCK_FILE: clock.file, NODE_OPTIONS: `--import ${CLOCK_PRELOAD}` });
