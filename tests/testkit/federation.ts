import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { connectInstances } from '../../scripts/operator/connect.js';
import { Cleanup } from './cleanup.js';
import { Canaries } from './federation-canaries.js';
import { COUPLED, House, plantCoupling } from './federation-house.js';
import { ServerProcess } from './federation-processes.js';
import { createInstance, instanceEnvironment } from './instance.js';
import { gatewayKey } from './keys.js';
import { Records } from './records.js';

export * from './federation-canaries.js';
export * from './federation-house.js';
export * from './federation-processes.js';

export interface RegisteredInstance {
  readonly code: string;
  readonly endpoint: string;
}

export interface FederationOptions {
  /** Settings of the gateway. */
  readonly gateway?: Record<string, string>;
  /** Settings of every instance. */
  readonly instance?: Record<string, string>;
}

/**
 * Three houses, each linked with the others, one that is linked with nobody, and a gateway: five processes.
 *
 * Guides: `greta` is one person with one profile in alpha, beta and gamma, coupled by pairs; `gwen` in alpha and beta; `solo` is in every
 * house another person, coupled with nobody. Each has an account in each of his houses and two bookings of an hour, at
 * hours of his own, and is asked for the booking without guide. Each house has staff, an administrator, two offers, a booking without guide and a cancelled one.
 * Every personal text is a canary.
 */
export interface Federation {
  readonly alpha: House;
  readonly beta: House;
  readonly gamma: House;
  /** Linked with nobody. */
  readonly delta: House;
  readonly houses: readonly House[];
  readonly gateway: ServerProcess;
  readonly canaries: Canaries;
  readonly couplings: Readonly<Record<'greta alpha-beta' | 'greta alpha-gamma' | 'greta beta-gamma' | 'gwen alpha-beta', string>>;
  /** Adds it to the gateway's registry; resolves when the gateway knows it. */
  register(instance: RegisteredInstance): Promise<void>;
  /** Ends all processes and removes everything. */
  close(): Promise<void>;
}

/** First hours of the guides' two bookings; no two of one person overlap, in any house. */
const HOURS = { greta: { alpha: 8, beta: 10, gamma: 12 }, gwen: { alpha: 14, beta: 16 }, solo: 18 } as const;

async function startHouse(code: string, folder: string, canaries: Canaries, env: Record<string, string>, cleanup: Cleanup): Promise<House> {
  const instance = cleanup.own(await createInstance({ code }), (made) => made.drop());
  const records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const mailDirectory = join(folder, `mail-${code}`);
  const settings = instanceEnvironment(instance, {
    DATABASE_POOL_SIZE: '4',
    LOG_LEVEL: 'debug',
    MAIL_DIRECTORY: mailDirectory,
    LIMIT_LOGIN_PER_ACCOUNT_AND_ADDRESS: '100000',
    LIMIT_LOGIN_PER_ADDRESS: '100000',
    LIMIT_LOGIN_PER_ACCOUNT: '100000',
    ...env,
  });
  const server = cleanup.own(await ServerProcess.start(`instance ${code}`, 'instance-server', settings, join(folder, `${code}.log`)), (started) => started.stop());
  const house = new House(instance, server, records, canaries, mailDirectory);
  await house.plantStaff();
  return house;
}

async function plantGuides({ alpha, beta, gamma, delta }: Record<'alpha' | 'beta' | 'gamma' | 'delta', House>): Promise<Federation['couplings']> {
  const [greta, gwen] = [`g_${randomUUID()}`, `g_${randomUUID()}`];
  for (const house of [alpha, beta, gamma]) await house.plantGuide('greta', greta, HOURS.greta[house.code as keyof typeof HOURS.greta], alpha.guides.get('greta'));
  for (const house of [alpha, beta]) await house.plantGuide('gwen', gwen, HOURS.gwen[house.code as keyof typeof HOURS.gwen], alpha.guides.get('gwen'));
  for (const house of [alpha, beta, gamma, delta]) await house.plantGuide('solo', null, HOURS.solo);
  const couple = (name: string, globalId: string, one: House, other: House) => plantCoupling(one, other, globalId, [one.guide(name).id, other.guide(name).id]);
  return {
    'greta alpha-beta': await couple('greta', greta, alpha, beta),
    'greta alpha-gamma': await couple('greta', greta, alpha, gamma),
    'greta beta-gamma': await couple('greta', greta, beta, gamma),
    'gwen alpha-beta': await couple('gwen', gwen, alpha, beta),
  };
}

/** Resolves when every house has heard what the others have planted of its coupled guides. */
async function replicated(houses: readonly House[]): Promise<void> {
  for (const house of houses) {
    const wanted = houses
      .filter((other) => other !== house)
      .flatMap((other) => Object.entries(COUPLED).flatMap(([name, codes]) => (codes.includes(house.code) && codes.includes(other.code) ? other.guide(name).bookings : [])))
      .map(({ assignmentId }) => assignmentId)
      .toSorted();
    const held = async (): Promise<unknown> => (await house.records.query<{ id: string }>('select id from foreign_booking order by id')).map(({ id }) => id);
    await until(async () => JSON.stringify(await held()) === JSON.stringify(wanted), `${house.code} has copies of all that the others planted`);
  }
}

/** Where it has not answered yet, its code stands in for its name. */
async function knows(gateway: ServerProcess, code: string): Promise<boolean> {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ instances { code name } }' }),
  });
  const { data } = (await response.json()) as { data: { instances: { code: string; name: string }[] } };
  return data.instances.some((instance) => instance.code === code && instance.name !== code);
}

/** @throws when dist/ is not built */
export async function startFederation({ gateway: gatewaySettings = {}, instance = {} }: FederationOptions = {}): Promise<Federation> {
  const cleanup = new Cleanup();
  try {
    const folder = cleanup.own(await mkdtemp(join(tmpdir(), 'lotse-federation-')), (made) => rm(made, { recursive: true, force: true }));
    const canaries = new Canaries();
    const codes = ['alpha', 'beta', 'gamma', 'delta'] as const;
    const started = await Promise.allSettled(codes.map((code) => startHouse(code, folder, canaries, instance, cleanup)));
    const houses = started.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
    const [alpha, beta, gamma, delta] = houses as [House, House, House, House];
    await Promise.all([connectInstances(alpha.operator, beta.operator), connectInstances(alpha.operator, gamma.operator), connectInstances(beta.operator, gamma.operator)]);
    const couplings = await plantGuides({ alpha, beta, gamma, delta });
    await replicated([alpha, beta, gamma]);

    const registryFile = join(folder, 'registry.json');
    const registered: RegisteredInstance[] = houses.map(({ code, url }) => ({ code, endpoint: url }));
    const writeRegistry = () => writeFile(registryFile, JSON.stringify({ instances: registered }));
    await writeRegistry();
    const settings = {
      NODE_ENV: 'production',
      REGISTRY_FILE: registryFile,
      SUPERGRAPH_FILE: join(projectRoot, 'schema', 'supergraph.graphql'),
      GATEWAY_PRIVATE_KEY: JSON.stringify(gatewayKey.privateJwk),
      LOG_LEVEL: 'debug',
      // Machines that run tests are busy; what is about slowness sets its own.
      UPSTREAM_TIMEOUT_MS: '10000',
      LIMIT_REQUEST_MS: '20000',
      ...gatewaySettings,
    };
    const gateway = cleanup.own(await ServerProcess.start('gateway', 'gateway', settings, join(folder, 'gateway.log')), (server) => server.stop());
    return {
      alpha,
      beta,
      gamma,
      delta,
      houses,
      gateway,
      canaries,
      couplings,
      register: async (added) => {
        registered.push(added);
        await writeRegistry();
        await until(() => knows(gateway, added.code), `the gateway knows ${added.code}`);
      },
      close: () => cleanup.run(),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

const POLL_MS = 20;

/** Asks again until it holds. @throws after `timeoutMs` */
export async function until(holds: () => Promise<boolean> | boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`after ${timeoutMs} ms it is still not so that ${what}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, POLL_MS);
    await promise;
  }
}
