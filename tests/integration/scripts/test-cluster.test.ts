import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { adminUrl, createDatabase, databaseUrl, dropDatabase, ensureTemplate, postgresLogPath } from '../../testkit/postgres.js';
import { query, watchingSession } from './fixtures/run-parent.js';

/** Names of this test alone: the cluster is shared with everything else of the run. */
const unique = (what: string): string => `${what} "${randomUUID()}"`;

const databases = async (name: string): Promise<unknown[]> =>
  query(adminUrl(), `SELECT datistemplate AS template, datallowconn AS open FROM pg_database WHERE datname = '${name}'`);

test('a database is made empty, is reached by its URL, and is dropped although a session is open', async () => {
  const name = unique('plain');
  const url = await createDatabase(name);
  expect(url).toBe(databaseUrl(name));
  expect(await query(url, 'SELECT current_database() AS name')).toEqual([{ name }]);
  const session = await watchingSession(url);
  await dropDatabase(name);
  await session.lost;
  expect(await databases(name)).toEqual([]);
  await dropDatabase(name);
});

test('a template is built once however many ask, and copies do not share data', async () => {
  const template = unique('template');
  const built: string[] = [];
  const build = async (url: string): Promise<void> => {
    built.push(url);
    await query(url, 'CREATE TABLE marked AS SELECT 1 AS mark');
  };
  await Promise.all([ensureTemplate(template, build), ensureTemplate(template, build), ensureTemplate(template, build)]);
  expect(built).toEqual([databaseUrl(template)]);
  expect(await databases(template)).toEqual([{ template: true, open: false }]);

  const names = [unique('copy'), unique('copy'), unique('copy')];
  const urls = await Promise.all(names.map((name) => createDatabase(name, { template })));
  await query(urls[0] ?? '', 'UPDATE marked SET mark = 2');
  expect(await Promise.all(urls.map((url) => query(url, 'SELECT mark FROM marked')))).toEqual([[{ mark: 2 }], [{ mark: 1 }], [{ mark: 1 }]]);
  for (const name of names) await dropDatabase(name);
});

test('a template whose making failed is made afresh by the next who asks', async () => {
  const template = unique('template');
  await expect(
    ensureTemplate(template, async (url) => {
      await query(url, 'CREATE TABLE half_done ()');
      throw new Error('no luck');
    }),
  ).rejects.toThrow('no luck');
  await ensureTemplate(template, async (url) => {
    await query(url, 'CREATE TABLE half_done ()');
  });
  expect(await databases(template)).toEqual([{ template: true, open: false }]);
});

test("PostgreSQL's log holds failed statements as soon as the client hears of them, and no others", async () => {
  const failing = randomUUID();
  const working = randomUUID();
  await query(adminUrl(), `SELECT '${working}'`);
  await expect(query(adminUrl(), `SELECT '${failing}' FROM missing`)).rejects.toMatchObject({ code: '42P01' });
  const log = await readFile(postgresLogPath(), 'utf8');
  expect(log).toContain(failing);
  expect(log).not.toContain(working);
});
