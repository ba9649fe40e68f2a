import { pino } from 'pino';
import { ConfigurationError, readConfig } from './config.js';
import { type InstanceServer, startInstance } from './server.js';

/** Starts one instance server from the environment; docs/operations.md lists the variables. */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  // Synchronous: buffered lines are flushed on exit, and that never ends when whoever read them has gone before us.
  const logger = pino({ level: config.LOG_LEVEL }, pino.destination({ fd: process.stdout.fd, sync: true }));
  let server: InstanceServer | undefined;
  let stopping = false;
  const stop = (): void => {
    // Still starting: nobody is served yet.
    if (!server) process.exit(0);
    if (stopping) return;
    stopping = true;
    logger.info('stopping');
    setTimeout(() => process.exit(1), config.SHUTDOWN_GRACE_MS).unref();
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Started by another process: end with it. It is told only once, perhaps while our modules were loading.
  process.on('disconnect', stop);
  if (process.connected === false) stop();

  server = await startInstance(config, logger);
  logger.info({ instance: server.code, url: server.url }, 'ready');
  process.send?.({ type: 'ready', url: server.url, port: server.port });
}

main().catch((error: unknown) => {
  // The driver's messages can hold addresses and names, ours say what to do.
  const text = error instanceof ConfigurationError ? error.message : error instanceof Error ? `${error.name}: ${error.message}` : 'unknown error';
  process.stderr.write(`The instance server could not start. ${text}\n`);
  process.exit(1);
});
