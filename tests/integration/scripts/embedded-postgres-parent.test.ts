import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../../scripts/postgres/embedded.js';
import { processGone } from '../../../scripts/postgres/previous-server.js';
import { query, runParent, tell, testFolder, watchingSession } from './fixtures/run-parent.js';

/*
 * How a program's end ends its database. A session that is open meanwhile tells when the server lets go, and
 * processGone resolves (or the test runs into its timeout) when no process is left.
 */

let folder: string;
let clean: () => Promise<void>;

beforeEach(async () => {
  ({ folder, clean } = await testFolder());
  await chmod(folder, 0o711);
});
afterEach(() => clean());

const ps = (column: string, pid: number): number =>
  Number(execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }));

const options = (): { dataDirectory: string; durable: boolean; temporary: boolean } => ({
  dataDirectory: join(folder, 'data'),
  durable: false,
  temporary: true,
});

test.each([
  ['is killed', 'SIGKILL'],
  ['gets SIGTERM and does not handle it', 'SIGTERM'],
  ['gets SIGHUP, as its terminal closes', 'SIGHUP'],
] as const)('a program that %s leaves neither server nor supervisor nor a temporary cluster', async (_, signal) => {
  const { parent, started } = await runParent(options());
  const supervisor = ps('ppid', started.pid);
  const session = await watchingSession(started.adminUrl);
  parent.kill(signal);
  await session.lost;
  await processGone(started.pid);
  await processGone(supervisor);
  expect(parent.signalCode).toBe(signal);
  expect(await readdir(folder)).toEqual([]);
});

test.each(['exit', 'finish'] as const)('a program that ends by itself (%s) leaves nothing either', async (command) => {
  const { parent, started } = await runParent(options());
  const supervisor = ps('ppid', started.pid);
  await tell(parent, command);
  await processGone(started.pid);
  await processGone(supervisor);
  expect(parent.exitCode).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

test('kept data can be used again at once after the program was killed, and the server stopped in an orderly way', async () => {
  const { parent, started } = await runParent({ ...options(), temporary: false });
  await query(started.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  // The first server may still be writing its checkpoint; the second one waits for that.
  const server = await startEmbeddedPostgres({ ...options(), temporary: true });
  expect(server.pid).not.toBe(started.pid);
  expect(await query(server.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  expect(await readFile(server.logFile, 'utf8')).not.toContain('was not properly shut down');
  await server.stop('immediate');
});

test('Ctrl-C in the terminal does not reach the server, so that the program decides when it stops', async () => {
  const { parent, started } = await runParent(options());
  const session = await watchingSession(started.adminUrl);
  expect(ps('pgid', parent.pid ?? 0)).toBe(parent.pid);
  expect(ps('pgid', started.pid)).not.toBe(parent.pid);
  const interrupted = once(parent, 'message');
  process.kill(-(parent.pid ?? 0), 'SIGINT');
  expect((await interrupted)[0]).toEqual({ type: 'interrupted' });
  expect((await session.client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await tell(parent, 'stop');
  await session.lost;
  await processGone(started.pid);
});

test('a server whose supervisor is killed is ended by the program', async () => {
  const server = await startEmbeddedPostgres({ ...options(), temporary: false });
  process.kill(ps('ppid', server.pid), 'SIGKILL');
  expect(await server.exited).toEqual({ code: null, signal: null });
  await processGone(server.pid);
  await server.stop();
});
