import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { composeInstance } from './composition.js';
import type { InstanceConfig } from './config.js';
import { startApollo } from './http/apollo.js';
import { Authentication } from './http/authentication.js';
import { instanceMetrics } from './http/metrics.js';
import { registerRoutes, requestIdOf } from './http/routes.js';
import { Sockets } from './http/sockets.js';
import { startJobs } from './jobs.js';
import type { Clock } from './platform/clock.js';
import { systemClock } from './platform/clock.js';
import { buildExecutableSchemas } from './schema.js';
import { instanceSubgraphSdl } from './federation/subgraphs.js';

export interface InstanceServer {
  /** `http://host:port` */
  readonly url: string;
  readonly port: number;
  readonly code: string;
  /** Takes no more requests, finishes those under way, closes sockets with 1012 and lets go of the database. */
  close(): Promise<void>;
}

/** Builds one instance's server and listens. */
export async function startInstance(config: InstanceConfig, logger: Logger, clock: Clock = systemClock): Promise<InstanceServer> {
  let ownUrl = '';
  let sdl = '';
  const instance = await composeInstance(config, logger, clock, () => config.PUBLIC_ENDPOINT ?? ownUrl, () => sdl);
  const schemas = await buildExecutableSchemas(instance.container);
  sdl = await instanceSubgraphSdl();
  const [client, federation] = await Promise.all([
    startApollo(schemas.client, config, logger, true),
    startApollo(schemas.federation, config, logger, false),
  ]);
  const authentication = new Authentication(instance, config.GATEWAY_PUBLIC_KEYS);

  const app = Fastify({
    bodyLimit: config.LIMIT_BODY_BYTES,
    requestTimeout: config.LIMIT_REQUEST_MS,
    // A number of hops: with `true` the first address of the header would count, which the client writes himself.
    trustProxy: (_address, hop) => hop < config.TRUST_PROXY,
    handlerTimeout: config.LIMIT_REQUEST_MS,
    forceCloseConnections: 'idle',
    logger: false,
    genReqId: (request) => requestIdOf(request.headers['x-request-id']) ?? randomUUID(),
  });
  const metrics = new Registry();
  instanceMetrics(app, metrics);
  instance.replication.metrics.register(metrics, () => instance.replication.service.status());
  instance.claims.metrics.register(metrics);
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id).header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
  });
  allowOrigins(app, config.CORS_ORIGINS);
  let draining = false;
  // A client that kept its connection after the last answer would hold up the end for as long as it likes.
  app.addHook('onSend', async (_request, reply) => {
    if (draining) void reply.header('connection', 'close');
  });
  registerRoutes(app, { instance, config, authentication, apollo: { client, federation }, metrics, isDraining: () => draining, logger });
  const sockets = new Sockets({ server: app.server, instance, config, authentication, schemas, logger });
  await app.listen({ host: config.HOST, port: config.PORT });
  const { port } = app.server.address() as AddressInfo;
  ownUrl = `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${port}`;
  const jobs = await startJobs(instance, config, logger);
  instance.replication.drains.start();
  instance.claims.patience.start();

  return {
    url: ownUrl,
    port,
    code: instance.code,
    async close() {
      draining = true;
      await sockets.close();
      await app.close();
      await Promise.all([client.stop(), federation.stop(), jobs.stop()]);
      await instance.close();
    },
  };
}

/** Browsers of the origins named may call; nobody else's. Tokens travel in headers, so no credentials are allowed. */
function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (!origin || !origins.includes(origin)) return;
    void reply.header('access-control-allow-origin', origin).header('vary', 'origin');
    if (request.method !== 'OPTIONS') return;
    void reply
      .header('access-control-allow-methods', 'GET, POST')
      .header('access-control-allow-headers', 'authorization, content-type, x-request-id')
      .header('access-control-max-age', '600');
    await reply.code(204).send();
  });
  app.options('/graphql', (_request, reply) => reply.code(204).send());
}
