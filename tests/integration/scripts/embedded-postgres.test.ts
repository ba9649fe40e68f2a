import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../../../scripts/postgres/embedded.js';
import { settlePreviousServer } from '../../../scripts/postgres/previous-server.js';
import { query, testFolder, watchingSession } from './fixtures/run-parent.js';

let folder: string;
let clean: () => Promise<void>;
const servers: EmbeddedPostgres[] = [];
const helpers: ChildProcess[] = [];

beforeEach(async () => {
  ({ folder, clean } = await testFolder());
  await chmod(folder, 0o711);
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop('immediate');
  for (const helper of helpers.splice(0)) helper.kill('SIGKILL');
  await clean();
});

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data'), durable: false, ...options });
  servers.push(server);
  return server;
}

describe('a new cluster', () => {
  test('listens on loopback only, asks for its own password and sorts by code point', async () => {
    const server = await start();
    expect(server.host).toBe('127.0.0.1');
    expect(server.dataDirectory).toBe(join(folder, 'data'));
    const [row] = await query(
      server.adminUrl,
      `SELECT current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets,
              current_setting('server_encoding') AS encoding, current_setting('TimeZone') AS zone,
              current_setting('server_version_num')::int / 10000 AS major, current_setting('max_connections') AS connections,
              (SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = 'template0') AS locale,
              (SELECT string_agg(word, '' ORDER BY word) FROM unnest(ARRAY['b','B','ä','a','A']) AS word) AS sorted,
              upper('ä') AS upper`,
    );
    expect(row).toEqual({
      addresses: '127.0.0.1',
      sockets: '',
      encoding: 'UTF8',
      zone: 'UTC',
      major: 18,
      connections: '300',
      locale: 'b C.UTF-8',
      sorted: 'ABabä',
      upper: 'Ä',
    });
    const wrong = new URL(server.adminUrl);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect((await stat(join(folder, 'data.password'))).mode & 0o777).toBe(0o600);
    expect((await stat(server.dataDirectory)).mode & 0o777).toBe(0o700);
    // Nothing of making it is left, least of all the copy of the password that initdb read.
    expect((await readdir(folder)).sort()).toEqual(['data', 'data.log', 'data.password']);
  });

  test('is safe unless told otherwise, takes settings, and moves a log away that has grown', async () => {
    await writeFile(join(folder, 'data.log'), 'old');
    await truncate(join(folder, 'data.log'), 11 * 1024 * 1024);
    const server = await start({ durable: true, settings: { max_connections: '20', log_min_messages: 'debug1' } });
    const [row] = await query(
      server.adminUrl,
      `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
              current_setting('synchronous_commit') AS commit, current_setting('max_connections') AS connections`,
    );
    expect(row).toEqual({ fsync: 'on', pages: 'on', commit: 'on', connections: '20' });
    expect((await stat(join(folder, 'data.log.1'))).size).toBe(11 * 1024 * 1024);
    expect(await readFile(server.logFile, 'utf8')).toContain('DEBUG:');
  });

  test('with a setting that PostgreSQL refuses, its log tells why', async () => {
    await expect(start({ settings: { max_connections: 'plenty' } })).rejects.toThrow(
      'invalid value for parameter "max_connections": "plenty"',
    );
  });

  test('that is temporary and does not start tells why too, and leaves nothing', async () => {
    await expect(start({ temporary: true, settings: { max_connections: 'plenty' } })).rejects.toThrow('"plenty"');
    expect(await readdir(folder)).toEqual([]);
  });

  test('that is temporary is gone with its server', async () => {
    const server = await start({ temporary: true });
    await server.stop();
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('kept data', () => {
  test('is there again after a stop, with the same password', async () => {
    const first = await start();
    await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    await first.stop();
    expect(await first.exited).toEqual({ code: 0, signal: null });
    const second = await start();
    expect(await query(second.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    expect(new URL(second.adminUrl).password).toBe(new URL(first.adminUrl).password);
  });

  test('is there again after the server was killed, with its lock file left behind', async () => {
    const first = await start({ durable: true });
    await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    first.kill('SIGKILL');
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await readFile(join(first.dataDirectory, 'postmaster.pid'), 'utf8')).toMatch(new RegExp(`^${first.pid}\\n`));
    const second = await start();
    expect(await query(second.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  test('starts although the number in the lock file now belongs to another process of the same user', async () => {
    const first = await start();
    first.kill('SIGKILL');
    await first.exited;
    const lockPath = join(first.dataDirectory, 'postmaster.pid');
    const { uid, gid } = await stat(first.dataDirectory);
    const other = spawn('sleep', ['600'], { stdio: 'ignore', ...(process.getuid?.() === 0 ? { uid, gid } : {}) });
    helpers.push(other);
    await once(other, 'spawn');
    await writeFile(lockPath, (await readFile(lockPath, 'utf8')).replace(/^\d+/, String(other.pid)));
    const second = await start();
    expect(await query(second.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(other.exitCode).toBe(null);
  });

  test('in use by a server is not touched by a second one', async () => {
    const server = await start();
    await expect(start({ previousServerMs: 1 })).rejects.toThrow(
      `The database in ${server.dataDirectory} is in use by another server (process ${server.pid}).`,
    );
    expect(await query(server.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('is waited for while a server is still stopping', async () => {
    const server = await start();
    const settled = settlePreviousServer(server.dataDirectory, 60_000);
    await server.stop();
    await expect(settled).resolves.toBe(undefined);
  });

  test('without its password file is refused, not opened with a new password', async () => {
    const server = await start();
    await server.stop();
    await writeFile(join(folder, 'data.password'), '');
    await expect(start()).rejects.toThrow(`its password file ${join(folder, 'data.password')} does not`);
  });
});

describe('the port', () => {
  test('is the wanted one when free, also right after a server that used it', async () => {
    const first = await start();
    await first.stop();
    const second = await start({ port: first.port });
    expect(second.port).toBe(first.port);
  });

  test('is another one when the wanted one is taken', async () => {
    const holder = createServer();
    holder.listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const lines: string[] = [];
    try {
      const server = await start({ port, log: (line) => lines.push(line) });
      expect(server.port).not.toBe(port);
      expect(new URL(server.adminUrl).port).toBe(String(server.port));
      expect(await query(server.adminUrl, `SELECT current_setting('port')::int AS port`)).toEqual([{ port: server.port }]);
      // Where the repository lies out of reach of the server, another line says so.
      expect(lines.filter((line) => line.startsWith('Port'))).toEqual([`Port ${port} is taken; PostgreSQL listens on ${server.port}.`]);
    } finally {
      holder.close();
    }
  });
});

test('a fast stop ends sessions that are open; a server that was paused stops too', async () => {
  const server = await start();
  const session = await watchingSession(server.adminUrl);
  server.kill('SIGSTOP');
  await server.stop();
  await session.lost;
  expect(await server.exited).toEqual({ code: 0, signal: null });
});
