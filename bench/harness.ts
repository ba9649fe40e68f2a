import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Pool } from 'undici';

/** What one contender took for one load. */
export interface Measurement {
  requests: number;
  /** CPU time of the contender's process per request, milliseconds. */
  cpuMs: number;
  requestsPerSecond: number;
  p99Ms: number;
  memoryMb: number;
}

export interface Contender {
  url: string;
  process: ChildProcess;
  stop(): Promise<void>;
}

/** Linux counts CPU time in clock ticks; 100 a second on every platform Node runs on. */
const TICKS_PER_SECOND = 100;

/** Core 0 belongs to the contender, core 1 to everything else: load, upstreams and database do not take its time. */
const canPin = spawnSync('taskset', ['-V']).status === 0;

/** Starts a program pinned to core 0 and waits for its `{type: 'ready', url}` message. */
export function startPinned(entry: string, env: NodeJS.ProcessEnv, core = 0): Promise<Contender> {
  const [command, args] = canPin ? ['taskset', ['-c', String(core), process.execPath, entry]] : [process.execPath, [entry]];
  const child = spawn(command as string, args as string[], { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(new Error(`${entry} ended before it was ready`));
    child.once('exit', failed);
    child.on('message', (message: { type?: string; url?: string }) => {
      if (message.type !== 'ready' || !message.url) return;
      child.off('exit', failed);
      resolve({
        url: message.url,
        process: child,
        stop: () =>
          new Promise((ended) => {
            child.once('exit', () => ended());
            child.kill('SIGTERM');
          }),
      });
    });
  });
}

/** User and system time of a process and its threads so far, milliseconds. */
function cpuTimeMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

const memoryMb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

export interface Load {
  body: string;
  path: string;
  /** One token a request, none used twice in a run. */
  tokens: readonly string[];
  concurrency: number;
  /** Fails the run when an answer is not what it must be. */
  check(answer: unknown): void;
}

/** Sends each token once, `concurrency` at a time, and measures what the contender's process used for it. */
export async function measure(contender: Contender, load: Load): Promise<Measurement> {
  const pool = new Pool(contender.url, { connections: load.concurrency });
  const pid = contender.process.pid ?? 0;
  const times: number[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    for (let token = load.tokens[next++]; token !== undefined; token = load.tokens[next++]) {
      const started = performance.now();
      const { statusCode, body } = await pool.request({
        path: load.path,
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: load.body,
      });
      const text = await body.text();
      times.push(performance.now() - started);
      // Every answer's status, one in fifty in full: the check must not become the load.
      if (statusCode !== 200) throw new Error(`status ${statusCode}: ${text.slice(0, 300)}`);
      if (times.length % 50 === 1) load.check(JSON.parse(text));
    }
  };
  const cpuBefore = cpuTimeMs(pid);
  const started = performance.now();
  await Promise.all(Array.from({ length: load.concurrency }, one));
  const seconds = (performance.now() - started) / 1000;
  const cpuMs = cpuTimeMs(pid) - cpuBefore;
  await pool.close();
  times.sort((a, b) => a - b);
  return {
    requests: times.length,
    cpuMs: cpuMs / times.length,
    requestsPerSecond: times.length / seconds,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    memoryMb: memoryMb(pid),
  };
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

export function printTable(rows: readonly Record<string, string | number>[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const text = (value: string | number | undefined): string => (typeof value === 'number' ? (value < 10 ? value.toFixed(3) : value.toFixed(0)) : (value ?? ''));
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => text(row[column]).length)));
  const line = (cells: readonly string[]): string => cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0))).join('  ');
  console.log(line(columns));
  for (const row of rows) console.log(line(columns.map((column) => text(row[column]))));
}
