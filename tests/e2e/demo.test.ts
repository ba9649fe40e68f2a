import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { DemoDescription } from '../../scripts/demo/demo.js';
import { processGone } from '../../scripts/postgres/previous-server.js';

/* The demo as its user meets it: the program is started, asked, interrupted and started again. Needs an earlier build. */

const DAY_MS = 86_400_000;
const MAIN = resolve('dist/scripts/demo/main.js');

interface Entry {
  id: string;
  start: string;
  end: string;
  origin: 'LOCAL' | 'FOREIGN';
  offerTitle: string;
  instance: { code: string };
  details: { bookingId: string; customer: { name: string; email: string } } | null;
}

interface Demo {
  child: ChildProcess;
  lines: string[];
  /** Resolves when a line of its output contains the text; rejects when it ends before. */
  said(text: string): Promise<void>;
  /** Ids of everything it has started, directly or not. */
  descendants(): number[];
}

let folder: string;
const started: Demo[] = [];
const everStarted = new Set<number>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lotse-demo-'));
  // Run by root, PostgreSQL is another user's process and has to get to its data.
  await chmod(folder, 0o711);
});

afterAll(async () => {
  for (const { child } of started) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await gone([...everStarted]);
  await rm(folder, { recursive: true, force: true });
});

function startDemo(): Demo {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], LOTSE_DEMO_DIR: folder, LOTSE_DEMO_PORT_BASE: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const hearers = new Set<(line: string | undefined) => void>();
  const tell = (line: string | undefined): void => {
    if (line !== undefined) lines.push(line);
    for (const hear of hearers) hear(line);
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', tell);
  child.once('close', () => tell(undefined));
  const demo: Demo = {
    child,
    lines,
    said: (text) =>
      new Promise((resolveSaid, reject) => {
        const hear = (line: string | undefined): void => {
          if (line === undefined) reject(new Error(`ended without saying "${text}":\n${lines.join('\n')}`));
          else if (line.includes(text)) resolveSaid();
          else return;
          hearers.delete(hear);
        };
        if (lines.some((line) => line.includes(text))) resolveSaid();
        else hearers.add(hear);
      }),
    descendants: () => {
      const table = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
      const found = new Set([child.pid]);
      for (let before = 0; before < found.size; ) {
        before = found.size;
        for (const [pid, parent] of table) if (found.has(parent)) found.add(pid);
      }
      found.delete(child.pid);
      const pids = [...found].filter((pid) => pid !== undefined);
      for (const pid of pids) everStarted.add(pid);
      return pids;
    },
  };
  started.push(demo);
  return demo;
}

/** Empty for a process that has ended since it was listed. */
function commandOf(pid: number): string {
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when none of the processes lives any more. */
async function gone(pids: readonly number[]): Promise<void> {
  await Promise.all(pids.map(processGone));
}

async function isListening(url: string): Promise<boolean> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function graphql<T>(url: string, query: string, variables: object, token?: string): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json()) as { data?: T; errors?: unknown };
  expect(answer.errors).toBeUndefined();
  return answer.data as T;
}

const range = { start: new Date(Date.now() - 60 * DAY_MS).toISOString(), end: new Date(Date.now() + 60 * DAY_MS).toISOString() };

async function calendarAt(url: string, account: DemoDescription['accounts'][number]): Promise<Entry[]> {
  const { instance, email, password, role } = account;
  const { login } = await graphql<{ login: { accessToken: string } }>(
    url,
    'mutation ($input: LoginInput!) { login(input: $input) { ... on LoginPayload { accessToken } } }',
    { input: { instance, email, password, role } },
  );
  const { me } = await graphql<{ me: { guide: { calendar: Entry[] } } }>(
    url,
    `query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) {
       id start end origin offerTitle instance { code } details { bookingId customer { name email } } } } } }`,
    { range },
    login.accessToken,
  );
  return me.guide.calendar;
}

const readDescription = async (): Promise<DemoDescription> => JSON.parse(await readFile(join(folder, 'demo.json'), 'utf8')) as DemoDescription;

const accountOf = (demo: DemoDescription, instance: string, email: string): DemoDescription['accounts'][number] => {
  const found = demo.accounts.find((account) => account.instance === instance && account.email === email);
  if (found === undefined) throw new Error(`no account of ${email} in ${instance}`);
  return found;
};

const COUPLED = 'anna.lindqvist@example.org';

test('a demo is planted, answers, stops without a trace and goes on with its data', async () => {
  // A first start that is killed while it plants leaves half a season behind.
  const killed = startDemo();
  await killed.said('bookings planted');
  const orphans = killed.descendants();
  expect(orphans.length).toBeGreaterThan(4);
  const end = once(killed.child, 'close');
  killed.child.kill('SIGKILL');
  await end;
  await gone(orphans);

  const first = startDemo();
  await first.said('Ready after');
  expect(first.lines.filter((line) => line.includes('bookings planted'))).toHaveLength(4);

  const demo = await readDescription();
  expect(demo.instances.map(({ code, linkedTo }) => [code, linkedTo.toSorted()])).toEqual([
    ['spree', ['donau', 'wharf']],
    ['donau', ['spree', 'wharf']],
    ['wharf', ['donau', 'spree']],
    ['kamo', []],
  ]);
  for (const { http, ws } of [demo.gateway, ...demo.instances]) expect([http, ws].map((url) => url.replace(/\d{4,5}/, 'PORT'))).toEqual(['http://127.0.0.1:PORT/graphql', 'ws://127.0.0.1:PORT/graphql']);
  for (const secret of ['secrets.json', 'gateway.jwk', 'operator.jwk', 'demo.json']) expect((await stat(join(folder, secret))).mode & 0o777).toBe(0o600);

  const calendar = await calendarAt(demo.gateway.http, accountOf(demo, 'spree', COUPLED));
  const local = calendar.filter(({ origin }) => origin === 'LOCAL');
  const foreign = calendar.filter(({ origin }) => origin === 'FOREIGN');
  expect(new Set(local.map(({ instance }) => instance.code))).toEqual(new Set(['spree']));
  expect(new Set(foreign.map(({ instance }) => instance.code))).toEqual(new Set(['donau', 'wharf']));
  expect(local.filter(({ details }) => !details?.customer.email.endsWith('@example.org'))).toEqual([]);
  expect(foreign.filter(({ details }) => details !== null)).toEqual([]);
  // What the other houses show of him is what he sees of each of them there himself, at the instance and without the gateway.
  const elsewhere = await Promise.all(
    demo.instances.filter(({ linkedTo }) => linkedTo.includes('spree')).map(({ code, http }) => calendarAt(http, accountOf(demo, code, COUPLED))),
  );
  const public_ = (entries: readonly Entry[]) => entries.map(({ id, start, end: until, offerTitle, instance }) => [start, until, offerTitle, instance.code, id]).toSorted();
  expect(public_(foreign)).toEqual(public_(elsewhere.flatMap((entries) => entries.filter(({ origin }) => origin === 'LOCAL'))));

  // The command that was printed, run as it was printed.
  const output = first.lines;
  const command = output.slice(output.findIndex((line) => line.startsWith('curl ')), output.indexOf('answers just now:')).join('\n');
  const { stdout } = await promisify(execFile)('sh', ['-c', command]);
  const entries = (JSON.parse(stdout) as { data: { me: { guide: { calendar: Entry[] } } } }).data.me.guide.calendar;
  expect(output.find((line) => line.startsWith('('))).toMatch(new RegExp(`^\\(${entries.length} entries: `));
  expect(entries.length).toBeGreaterThan(0);

  const running = first.descendants();
  const addresses = [demo.gateway, ...demo.instances].map(({ http }) => http);
  expect(await Promise.all(addresses.map(isListening))).toEqual([true, true, true, true, true]);
  const stopped = once(first.child, 'close');
  // Twice, as when npm passes a terminal's Ctrl-C on.
  first.child.kill('SIGINT');
  first.child.kill('SIGINT');
  expect(await stopped).toEqual([0, null]);
  expect(running.filter(isAlive)).toEqual([]);
  expect(await Promise.all(addresses.map(isListening))).toEqual([false, false, false, false, false]);

  const second = startDemo();
  await second.said('Ready after');
  expect(second.lines.filter((line) => line.includes('bookings planted'))).toEqual([]);
  const again = await readDescription();
  expect(again.accounts).toEqual(demo.accounts);
  expect(await calendarAt(again.gateway.http, accountOf(again, 'spree', COUPLED))).toEqual(calendar);

  // A server that ends by itself takes the rest with it, and the user is told which one it was.
  const all = second.descendants();
  const ended = once(second.child, 'close');
  const gateway = all.find((pid) => commandOf(pid).includes('gateway/main.js'));
  process.kill(gateway ?? NaN, 'SIGKILL');
  expect(await ended).toEqual([1, null]);
  expect(second.lines.filter((line) => line.includes('has ended unexpectedly'))).toEqual([`The gateway has ended unexpectedly. Its log: ${join(folder, 'logs', 'gateway.log')}`]);
  expect(all.filter(isAlive)).toEqual([]);
}, 120_000);
