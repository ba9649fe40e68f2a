import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The unprivileged user a server is run as when we ourselves are root, which PostgreSQL refuses. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

const PREFERRED = 'postgres';

async function lookUp(name: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    const account = { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
    return account.uid > 0 ? account : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Failing is expected: on a read-only /etc, without shadow-utils, or when another process creates the same user now.
 * The caller looks the user up again and so sees what really came of it.
 */
async function createUser(name: string): Promise<void> {
  await run('groupadd', ['--system', name]).catch(() => undefined);
  await run('useradd', ['--system', '--gid', name, '--no-create-home', '--shell', '/bin/false', name]).catch(
    () => undefined,
  );
}

async function ownerOf(path: string): Promise<Account | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return uid > 0 ? { name: `user ${uid}`, uid, gid } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Undefined when this process is not root: then the server simply runs as ourselves. For root: the owner of data that
 * exists (PostgreSQL accepts only him, and the data may stem from a run without root), else `postgres`, which is
 * created when missing, else `nobody`. The user must be in the user database, since `initdb` asks for his name.
 */
export async function serverAccount(dataDirectory: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await ownerOf(dataDirectory);
  if (owner !== undefined) return owner;
  const existing = await lookUp(PREFERRED);
  if (existing !== undefined) return existing;
  await createUser(PREFERRED);
  const account = (await lookUp(PREFERRED)) ?? (await lookUp('nobody'));
  if (account === undefined) {
    throw new Error(
      'PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody", nor could one be created. ' +
        'Run this as an ordinary user, or point DATABASE_URL at a PostgreSQL server.',
    );
  }
  return account;
}

/**
 * Whether the account may enter every folder and read every file of the list. Asked of the system by a process of that
 * user, not computed from mode bits, so that ACLs, mounts and all parent folders count too.
 */
export async function canReach(account: Account, paths: { folders?: string[]; files?: string[] }): Promise<boolean> {
  const script = 'while [ $# -gt 0 ]; do test "$1" "$2" || exit 1; shift 2; done';
  const tests = [
    ...(paths.folders ?? []).flatMap((folder) => ['-x', folder]),
    ...(paths.files ?? []).flatMap((file) => ['-r', file]),
  ];
  try {
    await run('/bin/sh', ['-c', script, 'sh', ...tests], { uid: account.uid, gid: account.gid, cwd: '/' });
    return true;
  } catch (error) {
    // A number is the shell's verdict; anything else means that no process could be started as this user at all.
    if (typeof (error as { code?: unknown }).code === 'number') return false;
    throw new Error(`Cannot start a process as ${account.name} (uid ${account.uid}).`, { cause: error });
  }
}
