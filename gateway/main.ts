import pino from 'pino';
import { collectDefaultMetrics } from 'prom-client';
import { ConfigurationError, readConfig, type GatewayConfig } from './config.js';
import { startGateway, type GatewayServer } from './server.js';

/** The process: one JSON line for each event, exit code 0 after a drain, 1 when it cannot start. */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  const redact = ['authorization', '*.authorization', 'token', '*.token'];
  // Synchronous: buffered lines are flushed on exit, and that never ends when whoever read them has gone before us.
  const destination = pino.destination({ fd: process.stdout.fd, sync: true });
  const logger = pino({ level: config.logLevel, base: { service: 'gateway' }, redact }, destination);

  let server: GatewayServer | undefined;
  let stopping = false;
  const stop = async (signal: string) => {
    // Still starting: nobody is served yet.
    if (server === undefined) process.exit(0);
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'The gateway drains.');
    const overdue = setTimeout(() => process.exit(1), drainMs(config));
    overdue.unref();
    await server.close();
    logger.info('The gateway has stopped.');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
  // Started by another process: end with it. It is told only once, perhaps while our modules were loading.
  process.on('disconnect', () => void stop('disconnect'));
  if (process.connected === false) await stop('disconnect');

  server = await startGateway(config, logger);
  collectDefaultMetrics({ register: server.metrics.registry });

  logger.info({ url: server.url, port: server.port }, 'The gateway is ready.');
  process.send?.({ type: 'ready', url: server.url, port: server.port });
}

/** Requests under way end within their time limit, sockets within theirs. */
function drainMs({ limits, subscriptions }: GatewayConfig): number {
  return limits.requestMs + subscriptions.closeTimeoutMs + 5_000;
}

try {
  await main();
} catch (error) {
  const message = error instanceof ConfigurationError ? error.message : (error as Error).stack;
  process.stderr.write(`The gateway cannot start. ${message}\n`);
  process.exit(1);
}
