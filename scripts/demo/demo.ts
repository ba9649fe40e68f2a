import { connectInstances } from '../operator/connect.js';
import { OperatorClient } from '../operator/client.js';
import { readSigningKey } from '../operator/keys.js';
import { startEmbeddedPostgres } from '../postgres/embedded.js';
import { areDatabasesThere, correctPartnerEndpoints, dropDatabases, plantCouplings, plantHouse, prepareDatabase } from './databases.js';
import { type DemoAccount, DemoFolder, type Season, writeAtomically } from './folder.js';
import { type House, HOUSES, LINKED_HOUSES, LINKED_PAIRS } from './houses.js';
import { allSettled, type Running } from './running.js';
import { type HousePlan, planSeason } from './season.js';
import { type Server, startGatewayServer, startInstanceServer } from './servers.js';
import type { DemoSettings } from './settings.js';

/** Where everything is; what `demo.json` holds. */
export interface DemoDescription {
  gateway: { http: string; ws: string };
  /** `pid`: of the house's server, for whoever wants to see what happens without it. */
  instances: { code: string; http: string; ws: string; pid: number; linkedTo: string[] }[];
  accounts: DemoAccount[];
}

/** Hears what has been done, one line a step. */
export type Progress = (line: string) => void;

interface RunningHouse {
  house: House;
  secret: string;
  databaseUrl: string;
  server: Server;
  operator: OperatorClient;
}

const addressesOf = (url: string): { http: string; ws: string } => ({ http: `${url}/graphql`, ws: `${url.replace(/^http/, 'ws')}/graphql` });

/**
 * Starts everything and hands it to `running`. Rejects when something fails or `running` is being stopped; what has been
 * started by then is for the caller to stop.
 */
export async function startDemo(settings: DemoSettings, running: Running, progress: Progress): Promise<DemoDescription> {
  const folder = new DemoFolder(settings.folder);
  if (settings.reset) {
    await folder.reset();
    progress('The data of earlier starts is deleted.');
  }
  await folder.open();
  running.check();
  const postgres = await running.postgres(
    startEmbeddedPostgres({ dataDirectory: folder.cluster, port: settings.ports.postgres, logFile: folder.at('logs', 'postgres.log'), log: progress }),
  );
  progress(`PostgreSQL listens on port ${postgres.port}.`);

  // After the database, which refuses a folder that another demo runs on.
  const secrets = await folder.secrets(HOUSES.map(({ code }) => code));
  const kept = await keptSeason(folder, postgres.adminUrl, progress);
  running.check();
  const today = new Date().toISOString().slice(0, 10);
  const plans = kept ? undefined : planSeason(today);
  const planted: DemoAccount[] = [];

  const houses = await allSettled(
    HOUSES.map(async (house, index): Promise<RunningHouse> => {
      const secret = secrets.instances.get(house.code) ?? '';
      const databaseUrl = await prepareDatabase(postgres.adminUrl, house, secret);
      running.check();
      const starting = running.instance(
        startInstanceServer(folder, {
          ...secrets,
          code: house.code,
          port: settings.ports.firstInstance && settings.ports.firstInstance + index,
          databaseUrl,
          secret,
        }),
      );
      const planting = plans ? plantHouse(databaseUrl, secret, planOf(plans, house)) : Promise.resolve([]);
      const [server, accounts] = await both(starting, planting);
      planted.push(...accounts);
      progress(`${house.name} (${house.code}) answers at ${server.url}${plans ? `; ${house.bookings} bookings planted` : ''}.`);
      return { house, secret, databaseUrl, server, operator: new OperatorClient(server.url, await readSigningKey(folder.operatorKey)) };
    }),
  );
  running.check();

  let season: Season;
  if (kept) {
    season = kept;
    const endpoints = new Map(houses.map(({ house, server }) => [house.code, server.url]));
    await allSettled(houses.map(({ databaseUrl, secret }) => correctPartnerEndpoints(databaseUrl, secret, endpoints)));
  } else {
    season = { today, accounts: planted.sort((a, b) => orderOf(a) - orderOf(b)) };
    await link(houses, plans ?? [], progress);
  }
  running.check();

  const registry = { instances: houses.map(({ house, server }) => ({ code: house.code, endpoint: server.url })) };
  await writeAtomically(folder.registry, registry, 0o644);
  const gateway = await running.gateway(startGatewayServer(folder, settings.ports.gateway));
  progress(`The gateway answers at ${gateway.url}.`);

  const instances = await allSettled(
    houses.map(async ({ house, server, operator }) => {
      const { http, ws } = addressesOf(server.url);
      return { code: house.code, http, ws, pid: server.process.child.pid ?? 0, linkedTo: await openLinksOf(operator) };
    }),
  );
  const description: DemoDescription = { gateway: addressesOf(gateway.url), instances, accounts: season.accounts };
  await writeAtomically(folder.at('demo.json'), description, 0o600);
  // Last of all: a start that was cut off before this line is begun anew by the next one.
  if (!kept) await folder.writeSeason(season);
  running.check();
  return description;
}

async function keptSeason(folder: DemoFolder, adminUrl: string, progress: Progress): Promise<Season | undefined> {
  const season = await folder.season();
  if (season && (await areDatabasesThere(adminUrl, HOUSES))) {
    progress(`The season planted on ${season.today} is kept.`);
    return season;
  }
  await folder.forgetSeason();
  await dropDatabases(adminUrl, HOUSES);
  return undefined;
}

/** Links the houses by the operator API, then couples their guides. */
async function link(houses: readonly RunningHouse[], plans: readonly HousePlan[], progress: Progress): Promise<void> {
  const at = (house: House): OperatorClient => {
    const found = houses.find((running) => running.house === house);
    if (found === undefined) throw new Error(`${house.code} does not run`);
    return found.operator;
  };
  await allSettled(LINKED_PAIRS.map(([a, b]) => connectInstances(at(a), at(b))));
  const linked = houses.filter(({ house }) => LINKED_HOUSES.includes(house));
  await allSettled(linked.map(({ house, databaseUrl, secret }) => plantCouplings(databaseUrl, secret, planOf(plans, house))));
  progress(`${LINKED_HOUSES.map(({ code }) => code).join(', ')} are linked with one another and their common guides coupled.`);
}

function planOf(plans: readonly HousePlan[], house: House): HousePlan {
  const plan = plans.find((candidate) => candidate.house === house);
  if (plan === undefined) throw new Error(`nothing is planned for ${house.code}`);
  return plan;
}

/** Partners whose part of a calendar is to be had at present. */
async function openLinksOf(operator: OperatorClient): Promise<string[]> {
  const links = await operator.links();
  return links.filter((found) => found.state === 'ACTIVE' && !found.suspendedHere && !found.suspendedThere).map(({ partnerCode }) => partnerCode);
}

const orderOf = ({ instance }: DemoAccount): number => HOUSES.findIndex(({ code }) => code === instance);

async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await allSettled<unknown>([a, b]);
  return [await a, await b];
}
