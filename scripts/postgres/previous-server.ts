import { readFile, readdir, readlink, realpath, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const LOCK_FILE = 'postmaster.pid';
const POLL_MS = 25;

/** What a server writes about itself into its data directory; undefined while there is none. */
export async function lockFile(dataDirectory: string): Promise<{ pid: number; status: string } | undefined> {
  try {
    const lines = (await readFile(join(dataDirectory, LOCK_FILE), 'utf8')).split('\n');
    return { pid: Number(lines[0]), status: lines[7]?.trim() ?? '' };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The PostgreSQL processes that work in this directory (all of them do, literally: it is their working directory), a
 * main process as well as the orphans of one that was killed. Undefined where the system cannot tell.
 */
async function serversIn(dataDirectory: string): Promise<number[] | undefined> {
  if (process.platform !== 'linux') return undefined;
  const directory = await realpath(dataDirectory);
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if ((await readlink(`/proc/${entry}/cwd`)) !== directory) continue;
      const executable = basename(await readlink(`/proc/${entry}/exe`)).replace(/ \(deleted\)$/, '');
      if (executable === 'postgres') found.push(Number(entry));
    } catch {
      // Ended meanwhile, a zombie, or another user's: none of these can be at work in a directory of mode 0700.
    }
  }
  return found;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Waits until the server that used this directory before is gone, as it may still be stopping while its program has
 * already ended. Rejects when one is still at work after `waitMs`.
 *
 * Also removes the lock file of a server that was killed, but only if its number now belongs to some other process,
 * which is common after a restart of a machine and would make PostgreSQL refuse to start. Every other stale lock file
 * is left to PostgreSQL, which replaces it safely even when two servers start at once.
 *
 * Where the system cannot tell (not Linux), it does nothing and PostgreSQL decides.
 */
export async function settlePreviousServer(dataDirectory: string, waitMs: number): Promise<void> {
  const deadline = Date.now() + waitMs;
  // Read before we look for its server: a server enters the directory first, then writes the file.
  let lock = await lockFile(dataDirectory);
  let servers = await serversIn(dataDirectory);
  if (servers === undefined) return;
  while (servers.length > 0 && Date.now() < deadline) {
    await delay(POLL_MS);
    lock = await lockFile(dataDirectory);
    servers = (await serversIn(dataDirectory)) ?? [];
  }
  if (servers.length > 0) {
    throw new Error(
      `The database in ${dataDirectory} is in use by another server (process ${lock?.pid ?? servers.join(', ')}). ` +
        'Stop the program that runs it, or choose another directory.',
    );
  }
  if (lock === undefined || !isAlive(lock.pid)) return;
  const unchanged = (await lockFile(dataDirectory))?.pid === lock.pid;
  if (unchanged) await rm(join(dataDirectory, LOCK_FILE), { force: true });
}

/** A process that has ended, but whose parent has not asked how. In containers nobody may ever ask for an orphan. */
async function isZombie(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // "pid (name) state …", and a name may contain anything.
  return status.slice(status.lastIndexOf(')') + 2).startsWith('Z');
}

/** Resolves when the process is gone. For processes that are not our children, whose end nobody reports to us. */
export async function processGone(pid: number): Promise<void> {
  while (isAlive(pid) && !(await isZombie(pid))) await delay(POLL_MS);
}
