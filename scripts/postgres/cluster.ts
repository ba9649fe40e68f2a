import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { access, chmod, chown, link, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Account, canReach } from './account.js';
import type { Binaries } from './binaries.js';
import { isTemporary, SHARED_FOLDER, sharedFolder } from './shared-folder.js';

const run = promisify(execFile);

/*
 * What belongs to a cluster lies beside its data directory, since PostgreSQL wants that for itself.
 */
export const passwordFileOf = (dataDirectory: string): string => `${dataDirectory}.password`;
export const logFileOf = (dataDirectory: string): string => `${dataDirectory}.log`;
/** Beside the *wanted* data directory; holds the path of the one used instead. */
const locationFileOf = (wanted: string): string => `${wanted}.location`;

/** A cluster that lies elsewhere has a folder of its own there. */
const MOVED_PREFIX = 'data-';

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false);

export const isInitialised = (dataDirectory: string): Promise<boolean> => exists(join(dataDirectory, 'PG_VERSION'));

/** Creates the file with this content unless it exists, so that of several processes all see the first one's. */
async function createOnce(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content, { mode: 0o600, flag: 'wx' });
  try {
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where the data of this directory is kept: elsewhere if an earlier start had to move it. */
export async function currentLocation(wanted: string): Promise<string> {
  const moved = await readIfThere(locationFileOf(wanted));
  return moved !== undefined && (await exists(dirname(moved))) ? moved : wanted;
}

/**
 * The directory to use: `location` if the account can get there, else a new one that it can reach, remembered beside
 * the wanted one. The new place lasts as long as the wanted one would have.
 */
export async function reachableLocation(
  wanted: string,
  location: string,
  account: Account | undefined,
  log: (line: string) => void,
): Promise<string> {
  await mkdir(dirname(location), { recursive: true });
  const initialised = await isInitialised(location);
  if (account === undefined) return location;
  if (await canReach(account, { folders: [initialised ? location : dirname(location)] })) return location;
  if (initialised) {
    throw new Error(
      `The database in ${location} exists, but ${account.name} (uid ${account.uid}), as whom PostgreSQL has to run, cannot enter it. ` +
        'Let that user pass through all folders above it (chmod o+x), or delete the database.',
    );
  }
  const folder = await sharedFolder(account, (await isTemporary(wanted)) ? 'temporary' : 'state');
  // Random, so that a second checkout at the same path never finds the data of one that was deleted.
  const place = await mkdtemp(join(folder, MOVED_PREFIX));
  await chmod(place, 0o711);
  const mine = join(place, 'cluster');
  if (location === wanted) {
    // A note that leads nowhere (its folder was cleaned away) counts as none.
    const noted = await readIfThere(locationFileOf(wanted));
    if (noted !== undefined && !(await exists(dirname(noted)))) await rm(locationFileOf(wanted), { force: true });
  }
  await createOnce(locationFileOf(wanted), mine);
  const chosen = (await readIfThere(locationFileOf(wanted))) ?? mine;
  if (chosen !== mine) await rm(place, { recursive: true, force: true });
  log(`${account.name} cannot reach ${wanted}; the database is kept in ${chosen}.`);
  return chosen;
}

/** The superuser's password. Made before the cluster, so that a cluster without a known password never exists. */
export async function superuserPassword(dataDirectory: string): Promise<string> {
  const file = passwordFileOf(dataDirectory);
  const known = await readIfThere(file);
  if (known !== undefined && known !== '') return known;
  if (await isInitialised(dataDirectory)) {
    throw new Error(`The database in ${dataDirectory} exists, but its password file ${file} does not. Restore it, or delete the database.`);
  }
  await createOnce(file, `${randomBytes(24).toString('base64url')}\n`);
  return (await readFile(file, 'utf8')).trim();
}

/**
 * Makes the cluster unless it exists. It is built beside its place and moved there when complete, so a process that is
 * killed meanwhile leaves nothing that looks like a database.
 */
export async function initialise(
  binaries: Binaries,
  dataDirectory: string,
  account: Account | undefined,
  options: { durable: boolean; environment: Record<string, string> },
): Promise<void> {
  if (await isInitialised(dataDirectory)) return;
  const password = await superuserPassword(dataDirectory);
  const draft = `${dataDirectory}.initdb-${randomUUID()}`;
  const passwordFile = `${draft}.password`;
  try {
    await mkdir(draft, { mode: 0o700 });
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (account !== undefined) {
      await chown(draft, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    await run(
      binaries.initdb,
      [
        `--pgdata=${draft}`,
        '--username=postgres',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // The provider inside PostgreSQL: sorts by code point, alike on every platform and after every system update.
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        '--no-instructions',
        ...(options.durable ? [] : ['--no-sync']),
      ],
      { cwd: '/', env: options.environment, ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }) },
    );
    await rename(draft, dataDirectory);
  } catch (error) {
    if (await isInitialised(dataDirectory)) return;
    const output = (error as { stderr?: string }).stderr?.trim();
    throw new Error(`initdb could not make a database in ${dataDirectory}${output ? `:\n${output}` : '.'}`, { cause: error });
  } finally {
    await rm(draft, { recursive: true, force: true });
    await rm(passwordFile, { force: true });
  }
}

/** All files of a cluster. `wanted` is the directory the caller asked for, `dataDirectory` the one that was used. */
export function filesOf(wanted: string, dataDirectory: string): string[] {
  const logFile = logFileOf(dataDirectory);
  const beside = [dataDirectory, passwordFileOf(dataDirectory), logFile, `${logFile}.1`];
  if (wanted === dataDirectory) return beside;
  // The path comes from a file that anybody may have edited; what is not of our making is not to be deleted.
  const folder = dirname(dataDirectory);
  const ours = basename(folder).startsWith(MOVED_PREFIX) && basename(dirname(folder)) === SHARED_FOLDER;
  return [...beside, ...(ours ? [folder] : []), locationFileOf(wanted)];
}
