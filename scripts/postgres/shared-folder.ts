import { chmod, lstat, mkdir, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { type Account, canReach } from './account.js';

export const SHARED_FOLDER = 'lotse-postgres';

/** `cache` can be made again, `state` must be kept, `temporary` may vanish with the next restart of the machine. */
export type Purpose = 'cache' | 'state' | 'temporary';

const temporaryFolders = (): string[] => [...new Set([tmpdir(), '/tmp', '/var/tmp'])];

/*
 * Kept data does not go below a temporary folder if that can be avoided: many systems delete files there by age, one
 * by one, which would ruin a database silently.
 */
const CANDIDATES: Record<Purpose, () => string[]> = {
  cache: () => ['/var/cache', ...temporaryFolders()],
  state: () => ['/var/lib', ...temporaryFolders()],
  temporary: temporaryFolders,
};

/** Whether the path lies below a folder for temporary files. Of a path that does not exist, its nearest parent counts. */
export async function isTemporary(path: string): Promise<boolean> {
  let existing = path;
  let real: string | undefined;
  while (real === undefined) {
    try {
      real = await realpath(existing);
    } catch {
      existing = dirname(existing);
    }
  }
  for (const folder of temporaryFolders()) {
    const root = await realpath(folder).catch(() => undefined);
    if (root !== undefined && (real === root || real.startsWith(root + sep))) return true;
  }
  return false;
}

/**
 * A folder of root's that the account can pass through but not write to. Only for root.
 *
 * The name can be guessed, so in a folder open to all somebody else may have made it first. It is used only if it is a
 * real folder, root's own and writable by nobody else.
 */
export async function sharedFolder(account: Account, purpose: Purpose, candidates = CANDIDATES[purpose]()): Promise<string> {
  const tried: string[] = [];
  for (const candidate of candidates) {
    const folder = join(candidate, SHARED_FOLDER);
    tried.push(folder);
    try {
      await mkdir(folder, { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      const found = await lstat(folder);
      if (!found.isDirectory() || found.uid !== 0) continue;
      await chmod(folder, 0o711);
      if (await canReach(account, { folders: [folder] })) return folder;
    } catch (error) {
      if (!['ENOENT', 'EACCES', 'EROFS', 'EPERM', 'ENOTDIR', 'ENOSPC'].includes(String((error as { code?: unknown }).code))) {
        throw error;
      }
    }
  }
  throw new Error(
    `No folder can be shared with ${account.name} (uid ${account.uid}), as whom PostgreSQL has to run; tried ${tried.join(', ')}.`,
  );
}
