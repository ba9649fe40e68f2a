/*
 * A process of its own between us and PostgreSQL, so that the server never outlives the program that started it, even
 * if that is killed in a way that leaves it no last word: the IPC channel then closes, and that ends the server.
 *
 * It leads its own session. A terminal's Ctrl-C, which goes to the whole process group, therefore reaches neither it
 * nor the server, and the program can let its clients finish before it stops the database.
 *
 * It is started as a file, compiled or not, and therefore imports nothing but Node's own modules.
 */
import { execFile, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

export type StopMode = 'fast' | 'immediate';

/** How to start the server; the only argument, as JSON. */
export interface SupervisorOrder {
  postgres: string;
  pgCtl: string;
  dataDirectory: string;
  arguments: string[];
  environment: Record<string, string>;
  uid?: number;
  gid?: number;
}

export type SupervisorCommand =
  | { type: 'stop'; mode: StopMode }
  /** Delete these once the server has ended, also if the program is gone by then. */
  | { type: 'removeAtEnd'; paths: string[] };

export type SupervisorReport =
  | { type: 'started'; pid: number }
  | { type: 'failed'; message: string }
  | { type: 'exited'; code: number | null; signal: NodeJS.Signals | null };

/** A fast stop writes a checkpoint, which may take its time. What is cut short is recovered at the next start. */
const FAST_STOP_MS = 30_000;
const IMMEDIATE_STOP_MS = 5_000;

const order = JSON.parse(process.argv[2] ?? '') as SupervisorOrder;

// Whoever signals a whole service (an init system, a container) means the program; it decides when we end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const server = spawn(order.postgres, order.arguments, {
  cwd: '/',
  env: order.environment,
  stdio: ['ignore', 'inherit', 'inherit'],
  ...(order.uid === undefined ? {} : { uid: order.uid }),
  ...(order.gid === undefined ? {} : { gid: order.gid }),
});

function report(message: SupervisorReport, then: () => void): void {
  if (process.connected && process.send) process.send(message, () => then());
  else then();
}

function signalServer(mode: StopMode): void {
  if (process.platform === 'win32') {
    // Windows has no signals: kill() would end the server at once and leave it to recovery.
    execFile(order.pgCtl, ['stop', '--no-wait', '-D', order.dataDirectory, '-m', mode], () => undefined);
    return;
  }
  // A server that was paused would see the second signal only when it goes on.
  server.kill('SIGCONT');
  server.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
}

function stop(mode: StopMode): void {
  signalServer(mode);
  if (mode === 'fast') setTimeout(() => stop('immediate'), FAST_STOP_MS).unref();
  else setTimeout(() => server.kill('SIGKILL'), IMMEDIATE_STOP_MS).unref();
}

let removeAtEnd: string[] = [];

process.on('message', (command: SupervisorCommand) => {
  if (command.type === 'stop') stop(command.mode);
  else removeAtEnd = command.paths;
});
process.on('disconnect', () => stop('fast'));

server.on('error', (error) => report({ type: 'failed', message: error.message }, () => process.exit(1)));
server.on('spawn', () => report({ type: 'started', pid: server.pid ?? 0 }, () => undefined));
server.on('exit', (code, signal) => {
  for (const path of removeAtEnd) rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  report({ type: 'exited', code, signal }, () => process.exit(0));
});
