import { mkdtemp, chmod, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../../instance-server/platform/project-root.js';
import { Random } from '../../../scripts/demo/random.js';
import { connectInstances } from '../../../scripts/operator/connect.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { ServerProcess } from '../../testkit/federation-processes.js';
import { gatewayKey } from '../../testkit/keys.js';
import type { Snapshots } from '../checker/index.js';
import { takeSnapshot } from '../checker/index.js';
import { clockEnvironment, FaultHouse, ShiftedClock } from './fault-house.js';
import { PartnerRelay } from './partner-relay.js';
import { HOUSES, PAIRS } from './persons.js';
import { Relay } from './relay.js';

export interface FaultFederation {
  readonly folder: string;
  readonly houses: readonly FaultHouse[];
  readonly gateway: ServerProcess;
  readonly gatewayClock: ShiftedClock;
  /** By `from>to`. */
  readonly partnerRelays: ReadonlyMap<string, PartnerRelay>;
  /** Between the gateway and each house, by code. */
  readonly gatewayRelays: ReadonlyMap<string, Relay>;
  house(code: string): FaultHouse;
  snapshots(): Promise<Snapshots>;
  /** Ends every process and removes every file. */
  close(): Promise<void>;
}

export interface FaultFederationOptions {
  readonly seed: number;
  /** Processes of the first house; 1 unless said. */
  readonly processes?: number;
  /** Further settings of every instance. */
  readonly settings?: Record<string, string>;
}

export const pairName = (from: string, to: string): string => `${from}>${to}`;

async function partnerRelays(houses: readonly FaultHouse[], seed: number, cleanup: Cleanup): Promise<Map<string, PartnerRelay>> {
  const relays = new Map<string, PartnerRelay>();
  for (const from of houses) {
    for (const to of houses) {
      if (from === to) continue;
      const name = pairName(from.code, to.code);
      relays.set(name, cleanup.own(await PartnerRelay.start(name, () => to.server.port, new Random(seed + relays.size + 1)), (relay) => relay.close()));
    }
  }
  return relays;
}

/** Links every pair, and lets each house reach its partners through their relays alone. */
async function linkAll(houses: ReadonlyMap<string, FaultHouse>, relays: ReadonlyMap<string, PartnerRelay>): Promise<void> {
  const operatorOf = (code: string) => (houses.get(code) as FaultHouse).operator;
  for (const [one, other] of PAIRS) {
    await connectInstances(operatorOf(one), operatorOf(other));
    for (const [from, to] of [[one, other], [other, one]] as const) await operatorOf(from).moveLink(to, { endpoint: relays.get(pairName(from, to))?.url });
  }
}

/**
 * Three houses with a cluster each, linked by pairs through relays, and a gateway that reaches them through relays: all of it processes of
 * their own.
 * @throws when dist/ is not built
 */
export async function startFaultFederation({ seed, processes = 1, settings = {} }: FaultFederationOptions): Promise<FaultFederation> {
  const cleanup = new Cleanup();
  try {
    const folder = cleanup.own(await mkdtemp(join(tmpdir(), 'lotse-faults-')), (made) => rm(made, { recursive: true, force: true }));
    // Run by root, PostgreSQL is another user's process and has to get to its data.
    await chmod(folder, 0o711);
    const started = await Promise.allSettled(HOUSES.map(async (code, index) => cleanup.own(await FaultHouse.start({ code, folder, settings, processes: index === 0 ? processes : 1 }), (house) => house.close())));
    const houses = started.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
    const byCode = new Map(houses.map((house) => [house.code, house]));
    const partners = await partnerRelays(houses, seed, cleanup);
    await linkAll(byCode, partners);

    const gatewayRelays = new Map<string, Relay>();
    for (const house of houses) gatewayRelays.set(house.code, cleanup.own(await Relay.start(`gateway>${house.code}`, () => house.server.port), (relay) => relay.close()));
    const registryFile = join(folder, 'registry.json');
    await writeFile(registryFile, JSON.stringify({ instances: houses.map(({ code }) => ({ code, endpoint: gatewayRelays.get(code)?.url })) }));
    const gatewayClock = new ShiftedClock(join(folder, 'clock-gateway'));
    await gatewayClock.set(0);
    const environment = {
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      REGISTRY_FILE: registryFile,
      SUPERGRAPH_FILE: join(projectRoot, 'schema', 'supergraph.graphql'),
      GATEWAY_PRIVATE_KEY: JSON.stringify(gatewayKey.privateJwk),
      LOG_LEVEL: 'info',
      UPSTREAM_TIMEOUT_MS: '3000',
      BREAKER_HALF_OPEN_MS: '500',
      ...clockEnvironment(gatewayClock),
    };
    const gateway = cleanup.own(await ServerProcess.start('gateway', 'gateway', environment, join(folder, 'gateway.log')), (server) => server.stop());
    const house = (code: string): FaultHouse => {
      const wanted = byCode.get(code);
      if (!wanted) throw new Error(`there is no house ${code}`);
      return wanted;
    };
    return {
      folder,
      houses,
      gateway,
      gatewayClock,
      partnerRelays: partners,
      gatewayRelays,
      house,
      snapshots: async () => Object.fromEntries(await Promise.all(houses.map(async (each) => [each.code, await each.asSuperuser(takeSnapshot)] as const))),
      close: () => cleanup.run(),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}
