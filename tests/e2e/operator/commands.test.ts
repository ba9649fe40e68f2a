import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { projectRoot } from '../../../instance-server/platform/project-root.js';
import { OperatorClient } from '../../../scripts/operator/client.js';
import { buildProgram } from '../../../scripts/operator/program.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { createInstance, type InstanceProcess, startInstanceProcess } from '../../testkit/instance.js';
import { operatorKey, testKey } from '../../testkit/keys.js';
import { Records } from '../../testkit/records.js';
import { until } from '../../testkit/until.js';

/* What an operator types and reads, at two houses that run as processes of their own. Needs an earlier build. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

interface House {
  code: string;
  server: InstanceProcess;
  records: Records;
}

interface Said {
  exit: number;
  out: string;
  err: string;
}

const NOBODY = '3f1c7a52-6a0e-4c38-9d5e-0b9a4a1e2f10';
const unknownPartner = 'alpha refused (NOT_FOUND): it has no living link with a house of this code; `link list` shows them all\n';
let folder: string;
let alpha: House;
let beta: House;
/** Linked with nobody at first. */
let gamma: House;

async function openHouse(code: string): Promise<House> {
  const instance = cleanup.own(await createInstance({ code }), (made) => made.drop());
  const records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const server = cleanup.own(await startInstanceProcess(instance, { SYNC_HEARTBEAT_MS: '500' }), (started) => started.stop());
  return { code, server, records };
}

beforeAll(async () => {
  folder = cleanup.own(await mkdtemp(join(tmpdir(), 'lotse-operator-')), (made) => rm(made, { recursive: true, force: true }));
  await writeFile(at('operator.jwk'), JSON.stringify(operatorKey.privateJwk), { mode: 0o600 });
  await writeFile(at('stranger.jwk'), JSON.stringify(testKey().privateJwk), { mode: 0o600 });
  await writeFile(at('nonsense.json'), '{"code":"alpha"}');
  [alpha, beta, gamma] = await Promise.all([openHouse('alpha'), openHouse('beta'), openHouse('gamma')]);
  await run(alpha, 'link', 'connect', '--a', alpha.server.url, '--b', beta.server.url);
});

const at = (file: string): string => join(folder, file);

/** One call of the command line, as a process. */
function operator(args: readonly string[], env: Record<string, string> = { LOTSE_OPERATOR_KEY: at('operator.jwk') }): Promise<Said> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(projectRoot, 'dist/scripts/operator/main.js'), ...args], { env: { PATH: process.env['PATH'], ...env } }, (error, out, err) =>
      resolve({ exit: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err }),
    );
  });
}

/** At a house. @throws what it said on standard error, when it failed */
async function run(house: House, ...args: string[]): Promise<string> {
  const { exit, out, err } = await operator([...args, '--instance', house.server.url]);
  if (exit !== 0) throw new Error(`${args.join(' ')}: ${exit} ${err}`);
  expect(err).toBe('');
  return out;
}

const json = async <T>(house: House, ...args: string[]): Promise<T> => JSON.parse(await run(house, ...args, '--json')) as T;

interface Status {
  partner: string;
  state: string;
  backlog: number;
  lastError: string | null;
  lastDigestAt: string | null;
  assignments: Record<string, number>;
  claims: Record<string, number>;
  lostBookings: number;
}
/** For what is asked often, without a process of its own. */
const atHouse = ({ server }: House): OperatorClient => new OperatorClient(server.url, operatorKey);
const statusOf = async (house: House): Promise<Status> =>
  (await atHouse(house).call<Status[]>('sync/status')).find(({ partner }) => partner !== 'gamma') as Status;
const drained = (house: House): Promise<unknown> => until(async () => (await statusOf(house)).backlog === 0);

/** A guide of both houses; gives the coupling's id. */
async function coupleGuide(): Promise<{ couplingId: string; guideId: string }> {
  const couplingId = randomUUID();
  const globalId = `g_${couplingId}`;
  const [here, there] = [await alpha.records.guide(), await beta.records.guide()];
  await alpha.records.seed.coupling({ id: couplingId, link: { partnerCode: 'beta' }, guideId: here, globalId });
  await beta.records.seed.coupling({ id: couplingId, link: { partnerCode: 'alpha' }, guideId: there, globalId, requestedHere: false });
  return { couplingId, guideId: here };
}

describe('every command explains itself', () => {
  const leaves = (command: Command, path: string[] = []): [string, Command][] =>
    command.commands.length === 0 ? [[path.join(' '), command]] : command.commands.flatMap((sub) => leaves(sub, [...path, sub.name()]));
  const commands = leaves(buildProgram({ out: () => undefined, err: () => undefined })).filter(([path]) => !path.endsWith('help'));

  test('there are as many as this test believes', () => {
    expect(commands.map(([path]) => path)).toEqual([
      'keygen',
      'settings show',
      'settings set',
      'keys rotate',
      'invite',
      ...['list', 'propose', 'accept', 'complete', 'suspend', 'resume', 'end', 'rotate', 'renew', 'pin', 'move', 'connect'].map((name) => `link ${name}`),
      ...['list', 'pause', 'resume', 'end'].map((name) => `coupling ${name}`),
      ...['status', 'retry', 'resync', 'inspect', 'restamp'].map((name) => `sync ${name}`),
    ]);
  });

  test.each(commands)('%s', (path, command) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => void (help += text) }).outputHelp();
    expect(help).toMatch(/\nBefore: \S/);
    expect(help).toContain('--instance <url>');
    // Its example is a call of this command.
    expect(help).toMatch(new RegExp(`\\nExample:\\n {2}npm run (--silent )?operator -- ${path} `));
  });

  test('from a shell, without an instance or a key', async () => {
    const said = await Promise.all([operator(['--help'], {}), operator(['sync', 'restamp', '--help'], {}), operator(['help', 'sync'], {})]);
    expect(said.map(({ exit, err }) => [exit, err])).toEqual([[0, ''], [0, ''], [0, '']]);
    expect(said[0]?.out).toContain('Exit codes: 0 done, 2 wrong use');
    expect(said[1]?.out).toContain('CLOCK_AHEAD');
  });
});

test('a link is made in three steps, with files handed over, and ended for good', async () => {
  await writeFile(at('offer.json'), await run(alpha, 'link', 'propose', 'gamma'));
  await writeFile(at('answer.json'), await run(gamma, 'link', 'accept', at('offer.json')));
  expect(await run(alpha, 'link', 'complete', at('answer.json'))).toBe('The link with gamma is ACTIVE.\n');
  const [heading, ...rows] = (await run(alpha, 'link', 'list')).split('\n');
  expect(heading).toMatch(/^CODE +NAME +STATE +ENDPOINT +LINK$/);
  expect(rows).toContainEqual(expect.stringMatching(new RegExp(`^gamma +House gamma +ACTIVE +${gamma.server.url} +[0-9a-f-]{36}$`)));
  expect(await run(alpha, 'link', 'end', 'gamma')).toBe('The link with gamma is ENDED. The partner has been told.\n');
  expect(await run(gamma, 'sync', 'status')).toBe('No links in force.\n');
  await run(gamma, 'link', 'propose', 'delta');
  expect(await run(gamma, 'link', 'end', 'delta')).toBe('The link with delta is ENDED. The partner does not know of it.\n');
});

test('a coupling is paused and resumed; what waits meanwhile is counted and shown', async () => {
  const { couplingId, guideId } = await coupleGuide();
  await drained(alpha);
  expect(await run(alpha, 'coupling', 'pause', couplingId)).toBe('The coupling is ACTIVE, paused here.\n');
  expect(await run(beta, 'coupling', 'list', 'alpha')).toMatch(new RegExp(`^COUPLING +GUIDE HERE +SINCE +STATE\n(.*\n)*${couplingId} .* ACTIVE, paused by the partner\n`));
  const offerId = await alpha.records.offer({ title: 'Tower at Dusk' });
  const start = new Date(Date.now() + 86_400_000);
  await alpha.records.booking(offerId, start, { guideIds: [guideId] });

  expect(await json(alpha, 'sync', 'status')).toEqual([expect.objectContaining({ partner: 'beta', state: 'ACTIVE', backlog: 1, lostBookings: 0, claims: {} })]);
  const shown = await run(alpha, 'sync', 'inspect', 'beta', '--guide', guideId);
  expect(shown).toMatch(/^Couplings:\nCOUPLING ID +GUIDE ID +STATE +PAUSED +WAITING .*\n.* ACTIVE +true +1 .*\n\nWaiting:\nCOUPLING ID +KIND .*\n.* ASSIGNMENT .*\n\nCopies:\n\(none\)\n$/);
  expect(shown).not.toContain('Tower');
  expect(await run(alpha, 'sync', 'retry', 'beta')).toBe('1 record waits for beta; all of it is tried now.\n');

  expect(await run(alpha, 'coupling', 'resume', couplingId)).toBe('The coupling is ACTIVE.\n');
  await drained(alpha);
  expect(await run(beta, 'sync', 'inspect', 'alpha', '--coupling', couplingId)).toMatch(/\n\nCopies:\nCOUPLING ID .*\n.* BOOKING +false +false .*\n$/);
  // Alpha keeps the claims, so it verifies its own at once; what was planted beside the services is put to it by the upkeep.
  expect(Object.values((await statusOf(alpha)).assignments)).toEqual([1]);
});

test('a full resynchronisation sends everything again and compares', async () => {
  await coupleGuide();
  await drained(alpha);
  const before = (await statusOf(alpha)).lastDigestAt;
  const said = await run(alpha, 'sync', 'resync', 'beta');
  expect(said).toMatch(/^\d+ records? waits? for beta; `sync status` shows how it goes\.\n$/);
  await until(async () => ((await statusOf(alpha)).lastDigestAt ?? '') > (before ?? ''));
  expect(await run(alpha, 'sync', 'status')).toMatch(/^PARTNER .* TO CLEAR UP\nbeta +ACTIVE +0 +- +- +\S+Z +.* EQUAL at \S+Z +\S.*\n$/);
  expect(await run(alpha, 'sync', 'restamp')).toBe('0 profile fields and 0 availability rules have the time of now.\n');
});

test('a link is suspended, which every command says, and resumed', async () => {
  await drained(alpha);
  expect(await run(alpha, 'link', 'suspend', 'beta')).toBe('The link with beta is ACTIVE, suspended here. The partner has been told.\n');
  expect(await run(beta, 'link', 'list')).toContain('ACTIVE, suspended by the partner');
  expect((await statusOf(beta)).state).toBe('SUSPENDED');
  const rests = 'the link is suspended and nothing is sent until it is resumed (`link list` says by whom)';
  expect(await run(alpha, 'sync', 'retry', 'beta')).toBe(`0 records wait for beta; ${rests}.\n`);
  expect(await run(alpha, 'sync', 'resync', 'beta')).toMatch(new RegExp(`^\\d+ records? waits? for beta; ${rests.replaceAll(/[()]/g, '\\$&')}\\.\n$`));
  expect(await run(alpha, 'link', 'resume', 'beta')).toBe('The link with beta is ACTIVE. The partner has been told.\n');
  await drained(alpha);
});

test('keys are rotated; one that the partner has lost is renewed and pinned', async () => {
  expect(await run(alpha, 'link', 'rotate', 'beta')).toMatch(/^We sign for beta with \S+ now\.\n$/);
  await writeFile(at('renewed.json'), await run(alpha, 'link', 'renew', 'beta'));
  await until(async () => (await statusOf(alpha)).lastError === 'UNAUTHENTICATED');
  expect(await run(beta, 'link', 'pin', at('renewed.json'))).toBe('The link with alpha is ACTIVE, with the renewed key.\n');
  await run(alpha, 'sync', 'resync', 'beta');
  await drained(alpha);
  expect(await run(alpha, 'link', 'move', 'beta', '--name', 'House of Beta')).toMatch(/^House of Beta \(beta\) is reached at http\S+; its front end is https:\/\/beta\.example\.\n$/);
});

describe('what cannot be is said in one line, with the exit code for it', () => {
  const LATER = 'see below';
  const cases: [name: string, args: string[], exit: number, said: string | RegExp, env?: Record<string, string>][] = [
    ['no instance', ['sync', 'status'], 2, 'Say which instance: --instance <url> or LOTSE_INSTANCE.\n'],
    ['no key', ['sync', 'status', '--instance', LATER], 2, 'Name your private key: --key <file> or LOTSE_OPERATOR_KEY. `keygen` makes one.\n', {}],
    ['a variable for the key that is empty', ['sync', 'status', '--instance', LATER], 2, /^Name your private key/, { LOTSE_OPERATOR_KEY: '' }],
    ['a key file that is not there', ['sync', 'status', '--instance', LATER, '--key', '/nowhere.jwk'], 2, 'The key file /nowhere.jwk cannot be read (ENOENT).\n'],
    ['a stranger’s key', ['sync', 'status', '--instance', LATER, '--key', 'stranger.jwk'], 4, /^alpha refused \(UNAUTHENTICATED\): it does not accept this key; .*\n$/],
    ['an instance that is down', ['sync', 'status', '--instance', 'http://127.0.0.1:9'], 5, /^http:\/\/127\.0\.0\.1:9 cannot be reached \((ECONNREFUSED|bad port)\)\.\n$/],
    ['no partner', ['sync', 'retry'], 2, /^error: missing required argument 'partner'\n/],
    ['an unknown partner to inspect', ['sync', 'inspect', 'nobody', '--instance', LATER], 3, unknownPartner],
    ['an unknown partner to suspend', ['link', 'suspend', 'nobody', '--instance', LATER], 3, unknownPartner],
    ['couplings over no link', ['coupling', 'list', 'nobody', '--instance', LATER], 3, unknownPartner],
    ['what is no code', ['sync', 'retry', 'No Body', '--instance', LATER], 3, 'alpha refused (INVALID_INPUT): partner: this is not the code of a house, such as vienna\n'],
    ['an unknown coupling', ['coupling', 'pause', NOBODY, '--instance', LATER], 3, 'alpha refused (NOT_FOUND): it has no such coupling; `coupling list <partner>` shows them\n'],
    ['an unknown coupling to inspect', ['sync', 'inspect', 'beta', '--coupling', NOBODY, '--instance', LATER], 3, 'alpha refused (NOT_FOUND): it has no such coupling over this link; `coupling list <partner>` shows them\n'],
    ['an unknown guide to inspect', ['sync', 'inspect', 'beta', '--guide', NOBODY, '--instance', LATER], 3, 'alpha refused (NOT_FOUND): it has no guide of this id who is coupled over this link; `coupling list <partner>` shows them\n'],
    ['an id that is none', ['sync', 'inspect', 'beta', '--guide', 'anna', '--instance', LATER], 3, 'alpha refused (INVALID_INPUT): guideId: Invalid UUID\n'],
    ['a second link with the same house', ['link', 'propose', 'beta', '--instance', LATER], 3, 'alpha refused (ALREADY_EXISTS): it has a living link with this house already; `link list` shows it\n'],
    ['a move to nowhere', ['link', 'move', 'beta', '--instance', LATER], 2, 'Nothing to change; --help lists what can.\n'],
    ['a file that holds no offer', ['link', 'accept', 'nonsense.json', '--instance', LATER], 2, /nonsense\.json holds no offer; it is what `link propose` or `link accept` printed\.\n$/],
    ['a file that holds no key', ['link', 'pin', 'nonsense.json', '--instance', LATER], 2, /nonsense\.json holds no offer; it is what `link renew` printed\.\n$/],
  ];

  test('all of them', async () => {
    const found: unknown[] = [];
    const wanted: unknown[] = [];
    const ask = async ([name, args, exit, said, env]: (typeof cases)[number]): Promise<void> => {
      const given = args.map((arg) => (arg === LATER ? alpha.server.url : /^(stranger|nonsense)\./.test(arg) ? at(arg) : arg));
      const answer = await operator(given, env);
      found.push([name, answer.exit, answer.out, answer.err]);
      wanted.push([name, exit, '', typeof said === 'string' ? said : expect.stringMatching(said)]);
      // No place in the code, no statement, nothing of the server's.
      expect(answer.err).not.toMatch(/\n +at |node_modules|select |\.ts:/);
    };
    for (let index = 0; index < cases.length; index += 4) await Promise.all(cases.slice(index, index + 4).map(ask));
    expect(found).toEqual(wanted);
  });

  test('as JSON where it is asked for', async () => {
    const { exit, out, err } = await operator(['sync', 'retry', 'nobody', '--json', '--instance', alpha.server.url]);
    expect([exit, out, JSON.parse(err)]).toEqual([3, '', expect.objectContaining({ code: 'NOT_FOUND', field: 'partner', instance: 'alpha', message: unknownPartner.trim() })]);
  });
});

test('a coupling is ended for good', async () => {
  const { couplingId } = await coupleGuide();
  expect(await run(beta, 'coupling', 'end', couplingId)).toBe('The coupling is ENDED.\n');
  await until(async () => (await atHouse(alpha).couplings('beta')).find(({ id }) => id === couplingId)?.state === 'ENDED');
});
