import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { readConfig } from '../../../../gateway/config.js';
import { startGateway, type GatewayServer } from '../../../../gateway/server.js';
import { FakeInstance, link, type FakeEntry, type FakeGuide } from './fake-instance.js';
import { testKey, type TestKey } from './keys.js';
import { composeTestSupergraph } from './schema.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly data?: Record<string, unknown> | null;
  readonly errors?: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
  /** The body as it came, to look at the order of its keys. */
  readonly text: string;
}

export interface Question {
  readonly query: string;
  readonly variables?: Record<string, unknown>;
  readonly operationName?: string;
}

/** A gateway over fake instances, and everything the test has written into files. */
export class TestFederation {
  readonly gatewayKey: TestKey = testKey('gateway');
  readonly instances = new Map<string, FakeInstance>();
  readonly directory = mkdtempSync(join(tmpdir(), 'lotse-gateway-'));
  readonly registryFile = join(this.directory, 'registry.json');
  readonly supergraphFile = join(this.directory, 'supergraph.graphql');
  /** Log lines of all gateways of this federation. */
  readonly log: string[] = [];
  private readonly gateways: GatewayServer[] = [];

  constructor() {
    writeFileSync(this.supergraphFile, composeTestSupergraph());
  }

  async instance(code: string): Promise<FakeInstance> {
    const instance = await new FakeInstance(code, this.gatewayKey).start();
    this.instances.set(code, instance);
    return instance;
  }

  /** Starts instances of these codes, all linked with one another. */
  async linkedInstances(...codes: readonly string[]): Promise<FakeInstance[]> {
    const started = await Promise.all(codes.map((code) => this.instance(code)));
    link(...started);
    return started;
  }

  writeRegistry(codes: readonly string[] = [...this.instances.keys()]): void {
    const instances = codes.map((code) => ({ code, endpoint: this.instances.get(code)?.url ?? 'http://127.0.0.1:9' }));
    writeFileSync(this.registryFile, JSON.stringify({ instances }));
  }

  async gateway(environment: Record<string, string> = {}): Promise<TestGateway> {
    const ownRegistry = environment['REGISTRY_FILE'] !== undefined || environment['REGISTRY'] !== undefined;
    if (!ownRegistry) this.writeRegistry();
    const config = readConfig({
      PORT: '0',
      ...(ownRegistry ? {} : { REGISTRY_FILE: this.registryFile }),
      SUPERGRAPH_FILE: this.supergraphFile,
      GATEWAY_PRIVATE_KEY: JSON.stringify(this.gatewayKey.privateJwk),
      UPSTREAM_TIMEOUT_MS: '500',
      BREAKER_HALF_OPEN_MS: '200',
      LOG_LEVEL: 'debug',
      ...environment,
    });
    const logger = pino({ level: config.logLevel }, { write: (line: string) => void this.log.push(line) });
    const server = await startGateway(config, logger);
    this.gateways.push(server);
    return new TestGateway(server);
  }

  async close(): Promise<void> {
    await Promise.all([...this.instances.values()].map((instance) => instance.stop()));
    await Promise.all(this.gateways.map((gateway) => gateway.close()));
  }
}

export class TestGateway {
  constructor(readonly server: GatewayServer) {}

  get url(): string {
    return this.server.url;
  }

  async ask(question: Question, token?: string): Promise<Answer> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(question),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, ...(JSON.parse(text) as object) };
  }
}

const day = 24 * 3_600_000;
const firstDay = Date.parse('2026-05-01T00:00:00.000Z');

/** The interval all entries of `entries` lie in. */
export const wholeRange = { start: '2026-05-01T00:00:00.000Z', end: '2026-07-01T00:00:00.000Z' };

/** One entry a day, from 9:00 plus the offset in hours, an hour long. */
export function entries(prefix: string, count: number, offsetHours = 0, replicaOf?: string): FakeEntry[] {
  return Array.from({ length: count }, (_, index) => {
    const start = firstDay + index * day + (9 + offsetHours) * 3_600_000;
    return {
      id: `${prefix}-${String(index).padStart(3, '0')}`,
      start: new Date(start).toISOString(),
      end: new Date(start + 3_600_000).toISOString(),
      offerTitle: index % 5 === 4 ? null : `Tour ${prefix} ${index}`,
      ...(replicaOf === undefined ? {} : { replicaOf }),
    };
  });
}

/** The same person in every instance, coupled in all others, with this number of entries in each. */
export function coupledGuide(instances: readonly FakeInstance[], name: string, count: number): FakeGuide[] {
  return instances.map((instance, index) => {
    const guide: FakeGuide = {
      id: `${name}@${instance.code}`,
      globalId: `global-${name}`,
      displayName: `Guide ${name}`,
      coupledIn: instances.filter((other) => other !== instance).map((other) => other.code),
      replicaAges: {},
      entries: entries(`${name}-${instance.code}`, count, index * 2),
    };
    instance.guides.push(guide);
    return guide;
  });
}
