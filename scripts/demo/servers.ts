import { createWriteStream, type WriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { portOrFree } from '../processes/ports.js';
import { type SpawnedNode, spawnNode } from '../processes/spawn.js';
import type { DemoFolder } from './folder.js';

const READY_TIMEOUT_MS = 60_000;
/** What the system needs to run a program at all; nothing of the caller's environment besides. */
const SYSTEM_VARIABLES = ['PATH', 'SystemRoot', 'TEMP', 'TMP', 'TMPDIR'];

export interface Server {
  name: string;
  url: string;
  logFile: string;
  process: SpawnedNode;
}

function systemEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(SYSTEM_VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}

async function openLog(folder: DemoFolder, name: string): Promise<{ logFile: string; log: WriteStream }> {
  const logFile = folder.at('logs', `${name}.log`);
  // One predecessor is kept, so that what ended the last run can be read after the next one.
  await rename(logFile, folder.at('logs', `${name}.previous.log`)).catch(() => undefined);
  return { logFile, log: createWriteStream(logFile, { mode: 0o600 }) };
}

/** Starts one of our servers as a process of its own. Its port is free if the wanted one (0: any) is taken. */
async function startServer(folder: DemoFolder, name: string, entry: string, wantedPort: number, environment: NodeJS.ProcessEnv): Promise<Server> {
  const { logFile, log } = await openLog(folder, name);
  try {
    const spawned = await spawnNode(join(projectRoot, 'dist', entry), {
      name,
      readyTimeoutMs: READY_TIMEOUT_MS,
      onLine: (line) => log.write(`${line}\n`),
      env: {
        ...systemEnvironment(),
        NODE_ENV: 'development',
        LOG_LEVEL: 'warn',
        HOST: '127.0.0.1',
        PORT: String(wantedPort === 0 ? 0 : await portOrFree(wantedPort)),
        ...environment,
      },
    });
    void spawned.exited.then(() => log.end());
    return { name, url: spawned.ready.url, logFile, process: spawned };
  } catch (error) {
    log.end();
    throw error;
  }
}

export function startInstanceServer(
  folder: DemoFolder,
  order: { code: string; port: number; databaseUrl: string; secret: string; gatewayPublicKey: string; operatorPublicKey: string },
): Promise<Server> {
  return startServer(folder, order.code, 'instance-server/main.js', order.port, {
    DATABASE_URL: order.databaseUrl,
    DATABASE_POOL_SIZE: '5',
    INSTANCE_SECRET: order.secret,
    GATEWAY_PUBLIC_KEYS: order.gatewayPublicKey,
    OPERATOR_PUBLIC_KEYS: order.operatorPublicKey,
    MAIL_DIRECTORY: folder.at('mail'),
  });
}

export function startGatewayServer(folder: DemoFolder, port: number): Promise<Server> {
  return startServer(folder, 'gateway', 'gateway/main.js', port, {
    REGISTRY_FILE: folder.registry,
    GATEWAY_PRIVATE_KEY_FILE: folder.gatewayKey,
    SUPERGRAPH_FILE: join(projectRoot, 'schema', 'supergraph.graphql'),
  });
}
