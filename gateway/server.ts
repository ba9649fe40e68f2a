import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApolloGateway } from '@apollo/gateway';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { GatewayConfig } from './config.js';
import { LinkedDataSource } from './datasources/linked.js';
import { subgraphDataSources } from './datasources/subgraphs.js';
import { LotseGateway } from './executor/lotse-gateway.js';
import { Operations } from './executor/operations.js';
import { apolloServer } from './http/apollo.js';
import { registerCors } from './http/cors.js';
import { registerRoutes } from './http/routes.js';
import { limitRules } from './limits.js';
import { Metrics } from './metrics.js';
import { PolledDirectory } from './registry/directory.js';
import { openRegistry } from './registry/registry.js';
import { Stitcher } from './stitching/stitcher.js';
import { attachSubscriptions } from './subscriptions/index.js';
import { loadSupergraph } from './supergraph.js';
import { accessTokenVerifier, gatewayCredentials } from './tokens.js';
import { Home } from './upstream/home.js';
import { Upstream, fetchWellKnown } from './upstream/upstream.js';

export interface GatewayServer {
  /** `http://host:port`. */
  readonly url: string;
  readonly port: number;
  readonly metrics: Metrics;
  /** Takes no more requests, finishes those under way and closes every socket. */
  close(): Promise<void>;
}

/** Builds the gateway and listens. Rejects with a ConfigurationError when a setting or a file cannot be used. */
export async function startGateway(config: GatewayConfig, logger: Logger): Promise<GatewayServer> {
  // @apollo/gateway otherwise reports usage to its maker.
  process.env['APOLLO_TELEMETRY_DISABLED'] = 'true';
  const loaded = loadSupergraph(config.supergraphFile);
  const metrics = new Metrics();
  const registry = openRegistry(config.registry, logger);
  const directory = new PolledDirectory({
    registry,
    fetchWellKnown: (endpoint) => fetchWellKnown(endpoint, config.upstream.timeoutMs),
    pollMs: config.directory.pollMs,
    coolDownMs: config.directory.coolDownMs,
    logger,
  });
  const verifyAccessToken = accessTokenVerifier(directory, directory, config.limits.cachedSignatures);
  const gatewayCredential = gatewayCredentials(config.privateKey);
  const upstream = new Upstream(config.upstream, directory, gatewayCredential, metrics, logger);
  const home = new Home(upstream, directory);
  const stitcher = new Stitcher(upstream, directory, loaded.schema, config.upstream.maxEntries);
  const linked = new LinkedDataSource(loaded, home, stitcher, config.limits.cachedOperations);
  const sources = subgraphDataSources(loaded, directory, home, linked);
  const gateway = new LotseGateway({
    loaded,
    operations: new Operations(loaded, config.limits.cachedOperations, config.compiledExecutor),
    stock: new ApolloGateway({
      supergraphSdl: loaded.sdl,
      buildService: ({ name }) => sources(name),
      logger: quiet(logger),
      __exposeQueryPlanExperimental: false,
    }),
    home,
    stitcher,
    directory,
    verifyAccessToken,
    requestMs: config.limits.requestMs,
  });
  const apollo = apolloServer(gateway, config, metrics, logger);
  await apollo.start();

  let draining = false;
  const app = httpServer(config);
  // A kept-alive connection with a request under way would otherwise hold the drain up after its answer.
  app.addHook('onSend', async (_request, reply) => {
    if (draining) reply.header('connection', 'close');
  });
  registerCors(app, config.corsOrigins);
  registerRoutes(app, { apollo, metrics: metrics.registry, isReady: () => !draining });
  // Names and keys are there for the first request if the instances are; the gateway starts without them as well.
  await directory.refreshAll();
  await app.listen({ host: config.host, port: config.port });
  const subscriptions = attachSubscriptions({
    httpServer: app.server,
    directory,
    verifyAccessToken,
    gatewayCredential,
    schema: loaded.schema,
    config,
    logger,
    validationRules: limitRules(config.limits),
    metrics: metrics.registry,
  });

  const drain = async () => {
    draining = true;
    await subscriptions.close();
    await app.close();
    await apollo.stop();
    await upstream.close();
    directory.close();
    registry.close();
  };
  let drained: Promise<void> | undefined;
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    port,
    metrics,
    close: () => (drained ??= drain()),
  };
}

const clientRequestId = /^[\w-]{8,64}$/u;

function httpServer(config: GatewayConfig): FastifyInstance {
  return Fastify({
    bodyLimit: config.limits.bodyBytes,
    // A request that arrives slower than this is given up.
    requestTimeout: config.limits.requestMs,
    trustProxy: config.trustProxy,
    forceCloseConnections: 'idle',
    logger: false,
    genReqId: ({ headers }: IncomingMessage) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && clientRequestId.test(given) ? given : randomUUID();
    },
  });
}

/** Apollo greets at every start; its warnings are kept. */
function quiet(logger: Logger) {
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (message: unknown) => logger.warn(String(message)),
    error: (message: unknown) => logger.error(String(message)),
  };
}
