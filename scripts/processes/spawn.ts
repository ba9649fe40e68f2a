import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

export interface SpawnNodeOptions {
  /** The child's whole environment; it inherits nothing else. */
  env: NodeJS.ProcessEnv;
  /** What to call it in error messages. */
  name: string;
  /** Called for each line of the child's standard output and error, without its line end. */
  onLine?: (line: string) => void;
  readyTimeoutMs: number;
}

/** Where a child that is ready can be reached. */
export interface Ready {
  url: string;
  port: number;
}

export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface SpawnedNode {
  child: ChildProcess;
  ready: Ready;
  /** SIGTERM, then SIGKILL if the child has not ended after `graceMs`. Resolves when it has ended; any number of times. */
  stop(graceMs: number): Promise<ProcessExit>;
  /** Sends a signal; nothing happens if the child has ended. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the child has ended and its output is complete; never rejects. */
  exited: Promise<ProcessExit>;
  /** The last lines of its output. */
  output(): string;
}

const OUTPUT_LINES = 500;
/** A grandchild that inherited the child's output could keep it open for ever. */
const OUTPUT_CLOSE_MS = 1_000;

const living = new Set<ChildProcess>();

// Who ends in order has stopped his children. Who does not (process.exit, an uncaught error) must not leave them behind.
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

function readyOf(message: unknown): Ready | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { type, url, port } = message as Record<string, unknown>;
  return type === 'ready' && typeof url === 'string' && typeof port === 'number' ? { url, port } : undefined;
}

/**
 * Starts `entry` (a file of JavaScript, absolute path) with this Node and waits until it sends
 * `{type: 'ready', url, port}` over IPC. Rejects with the end of its output when it ends or is silent before that.
 *
 * The child leads its own process group: a terminal's Ctrl-C reaches only us, and we end the children in the order that
 * suits them. If we are killed, the IPC channel closes; a child's duty is to end on `disconnect`.
 */
export async function spawnNode(entry: string, options: SpawnNodeOptions): Promise<SpawnedNode> {
  const child = spawn(process.execPath, ['--enable-source-maps', entry], {
    detached: true,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  living.add(child);

  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      lines.push(line);
      if (lines.length > OUTPUT_LINES) lines.shift();
      options.onLine?.(line);
    });
  }
  const output = (): string => lines.join('\n');

  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const exited = new Promise<ProcessExit>((resolve) => {
    const settle = (exit: ProcessExit): void => {
      living.delete(child);
      void Promise.race([closed, delay(OUTPUT_CLOSE_MS, undefined, { ref: false })]).then(() => resolve(exit));
    };
    child.once('exit', (code, signal) => settle({ code, signal }));
    // Not started at all: no 'exit' follows.
    child.on('error', (error) => {
      lines.push(error.message);
      if (child.pid === undefined) settle({ code: null, signal: null });
    });
  });

  const stop = async (graceMs: number): Promise<ProcessExit> => {
    const waiting = new AbortController();
    child.kill('SIGTERM');
    const grace = delay(graceMs, 'late' as const, { signal: waiting.signal }).catch(() => 'cancelled' as const);
    if ((await Promise.race([exited, grace])) === 'late') child.kill('SIGKILL');
    waiting.abort();
    return exited;
  };

  const readiness = Promise.withResolvers<Ready>();
  const fail = (what: string): void => readiness.reject(new Error(`${options.name} ${what}${output() === '' ? '.' : `:\n${output()}`}`));
  const timer = setTimeout(() => fail(`was not ready after ${options.readyTimeoutMs} ms`), options.readyTimeoutMs);
  child.on('message', (message) => {
    const ready = readyOf(message);
    if (ready !== undefined) readiness.resolve(ready);
  });
  void exited.then(({ code, signal }) => fail(`ended before it was ready (${signal ?? `code ${code}`})`));

  try {
    const ready = await readiness.promise;
    return { child, ready, stop, kill: (signal) => void child.kill(signal), exited, output };
  } catch (error) {
    child.kill('SIGKILL');
    await exited;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
