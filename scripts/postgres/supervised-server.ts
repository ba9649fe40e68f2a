import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processGone } from './previous-server.js';
import type { StopMode, SupervisorCommand, SupervisorOrder, SupervisorReport } from './supervisor.js';

/** How the server's main process ended. Both null: nobody saw it, as its supervisor was killed first. */
export interface ServerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface SupervisedServer {
  pid: number;
  stop(mode: StopMode): Promise<void>;
  /** The supervisor deletes these when the server has ended, also if this process is gone by then. */
  removeAtEnd(paths: string[]): void;
  exited: Promise<ServerExit>;
}

/** Compiled or not, the supervisor lies beside this file in the same form. */
const SUPERVISOR = fileURLToPath(new URL(`./supervisor${extname(fileURLToPath(import.meta.url))}`, import.meta.url));

/** If the supervisor was killed, nobody else will end the server. */
async function endOrphan(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGCONT');
    process.kill(pid, 'SIGINT');
  } catch {
    return;
  }
  await processGone(pid);
}

/**
 * Starts a server under a supervisor (see supervisor.ts) that ends it when this process ends. Standard output and
 * error of both go to the descriptor `log`. Resolves when the server's process exists, long before it takes connections.
 */
export async function superviseServer(order: SupervisorOrder, log: number): Promise<SupervisedServer> {
  const supervisor = spawn(process.execPath, [SUPERVISOR, JSON.stringify(order)], {
    cwd: '/',
    detached: true,
    // Not ours: NODE_OPTIONS would give it our debugger's port, loaders and flags.
    env: order.environment,
    stdio: ['ignore', log, log, 'ipc'],
  });

  const started = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<ServerExit>();
  let pid: number | undefined;
  let exit: ServerExit | undefined;

  supervisor.on('message', (report: SupervisorReport) => {
    if (report.type === 'started') {
      pid = report.pid;
      started.resolve(pid);
    } else if (report.type === 'failed') {
      started.reject(new Error(`PostgreSQL could not be started: ${report.message}`));
    } else {
      exit = { code: report.code, signal: report.signal };
    }
  });
  supervisor.on('error', (error) => {
    started.reject(error);
    ended.resolve({ code: null, signal: null });
  });
  supervisor.on('close', () => {
    started.reject(new Error('The supervisor of PostgreSQL ended before the server started.'));
    if (exit !== undefined) ended.resolve(exit);
    else if (pid === undefined) ended.resolve({ code: null, signal: null });
    else void endOrphan(pid).then(() => ended.resolve({ code: null, signal: null }));
  });

  const serverPid = await started.promise;
  // The server alone is no reason for this process to go on.
  supervisor.unref();
  supervisor.channel?.unref();

  const tell = (command: SupervisorCommand): void => {
    // Once the supervisor has ended, or is about to, there is nobody to tell and nothing to stop.
    if (supervisor.connected) supervisor.send(command, () => undefined);
  };
  return {
    pid: serverPid,
    exited: ended.promise,
    removeAtEnd: (paths) => tell({ type: 'removeAtEnd', paths }),
    async stop(mode) {
      supervisor.ref();
      supervisor.channel?.ref();
      tell({ type: 'stop', mode });
      await ended.promise;
    },
  };
}
