import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { subscriptionsConfig, subscriptionsEnvironment, type SubscriptionsConfig } from './subscriptions/config.js';

/** A setting that cannot be used; the message names its environment variable and never shows its value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

const whole = (fallback: number, min = 1, max = 2_147_483_647) =>
  z
    .string()
    .regex(/^\d+$/u, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(fallback);

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

/** Every setting of the gateway with its default; those of the WebSockets stand beside them. Unknown variables are ignored: the environment is shared. */
const environment = subscriptionsEnvironment.extend({
  /** Address to listen on. */
  HOST: z.string().min(1).default('127.0.0.1'),
  /** Port to listen on; 0 takes a free one. */
  PORT: whole(4000, 0, 65_535),
  /** Path of the registry, watched and reloaded when it changes. One of the two is required. */
  REGISTRY_FILE: z.string().min(1).optional(),
  /** The registry itself as JSON, when there is no file. */
  REGISTRY: z.string().min(1).optional(),
  /** The composed supergraph. */
  SUPERGRAPH_FILE: z.string().min(1).default('schema/supergraph.graphql'),
  /** ES256 private JWK with `kid`, which signs the gateway credential. One of the two is required. */
  GATEWAY_PRIVATE_KEY: z.string().min(1).optional(),
  GATEWAY_PRIVATE_KEY_FILE: z.string().min(1).optional(),

  /** Time one instance has to answer one request. */
  UPSTREAM_TIMEOUT_MS: whole(2_000, 10),
  /** Largest answer of an instance that is read. */
  UPSTREAM_MAX_BYTES: whole(2 * 1024 * 1024, 1_024),
  /** Most entries a partner may answer for one stitched list. */
  UPSTREAM_MAX_ENTRIES: whole(5_000),
  /** Sockets kept open to each instance. */
  UPSTREAM_CONNECTIONS: whole(64, 1, 10_000),
  /** Consecutive failures of one instance after which it is no longer asked. */
  BREAKER_FAILURES: whole(5, 1, 1_000),
  /** After this time one request tries again whether it is back. */
  BREAKER_HALF_OPEN_MS: whole(2_000, 10),

  /** How often name, logo and keys of the instances are read. */
  DIRECTORY_POLL_MS: whole(30_000, 100),
  /** Shortest time between two questions for an unknown key. */
  DIRECTORY_COOL_DOWN_MS: whole(2_000, 0),

  /** Deepest nesting of a document. */
  LIMIT_DEPTH: whole(12),
  /** Most aliases in a document. */
  LIMIT_ALIASES: whole(30, 0),
  /** Most tokens of a document. */
  LIMIT_TOKENS: whole(2_000),
  /** Most fields of a document with its fragments written out. */
  LIMIT_SELECTIONS: whole(5_000),
  /** Highest cost of a document: 2 an object, 1 a scalar, times 1.5 for each level of depth. */
  LIMIT_COST: whole(20_000),
  /** Largest request body. */
  LIMIT_BODY_BYTES: whole(100 * 1024, 256),
  /** Time after which a request is answered with an error. */
  LIMIT_REQUEST_MS: whole(10_000, 10),
  /** Parsed documents, plans and compiled operations kept. */
  LIMIT_CACHED_OPERATIONS: whole(1_000, 1, 1_000_000),
  /** Signature results kept. */
  LIMIT_CACHED_SIGNATURES: whole(10_000, 1, 10_000_000),

  /** Origins allowed by CORS, separated by commas; none by default. */
  CORS_ORIGINS: z.string().default(''),
  /** `production` turns introspection off and the gateway's messages for developers with it. */
  NODE_ENV: z.string().default('development'),
  /** Turns introspection on or off whatever NODE_ENV says. */
  INTROSPECTION: flag.optional(),
  /** Sends the plan shapes it knows through the compiled executor. */
  COMPILED_EXECUTOR: flag.default(true),
  /** Whether `X-Forwarded-For` of a proxy in front is believed. */
  TRUST_PROXY: flag.default(false),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

const es256PrivateKey = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  kid: z.string().min(1),
  x: z.string().min(1),
  y: z.string().min(1),
  d: z.string().min(1),
});

export type Es256PrivateKey = z.infer<typeof es256PrivateKey>;

export type RegistrySource = { readonly file: string } | { readonly json: string };

export interface GatewayConfig {
  readonly host: string;
  readonly port: number;
  readonly registry: RegistrySource;
  readonly supergraphFile: string;
  readonly privateKey: Es256PrivateKey;
  readonly upstream: {
    readonly timeoutMs: number;
    readonly maxBytes: number;
    readonly maxEntries: number;
    readonly connections: number;
    readonly breakerFailures: number;
    readonly breakerHalfOpenMs: number;
  };
  readonly directory: { readonly pollMs: number; readonly coolDownMs: number };
  readonly limits: {
    readonly depth: number;
    readonly aliases: number;
    readonly tokens: number;
    readonly selections: number;
    readonly cost: number;
    readonly bodyBytes: number;
    readonly requestMs: number;
    readonly cachedOperations: number;
    readonly cachedSignatures: number;
  };
  readonly subscriptions: SubscriptionsConfig;
  readonly corsOrigins: readonly string[];
  readonly production: boolean;
  readonly introspection: boolean;
  readonly compiledExecutor: boolean;
  readonly trustProxy: boolean;
  readonly logLevel: string;
}

/** Reads the environment once. Throws a ConfigurationError that names the variable. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): GatewayConfig {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new ConfigurationError(`The configuration is not valid. ${problems.join('; ')}`);
  }
  const settings = parsed.data;
  return {
    host: settings.HOST,
    port: settings.PORT,
    registry: registrySource(settings.REGISTRY_FILE, settings.REGISTRY),
    supergraphFile: settings.SUPERGRAPH_FILE,
    privateKey: privateKey(settings.GATEWAY_PRIVATE_KEY, settings.GATEWAY_PRIVATE_KEY_FILE),
    upstream: {
      timeoutMs: settings.UPSTREAM_TIMEOUT_MS,
      maxBytes: settings.UPSTREAM_MAX_BYTES,
      maxEntries: settings.UPSTREAM_MAX_ENTRIES,
      connections: settings.UPSTREAM_CONNECTIONS,
      breakerFailures: settings.BREAKER_FAILURES,
      breakerHalfOpenMs: settings.BREAKER_HALF_OPEN_MS,
    },
    directory: { pollMs: settings.DIRECTORY_POLL_MS, coolDownMs: settings.DIRECTORY_COOL_DOWN_MS },
    limits: {
      depth: settings.LIMIT_DEPTH,
      aliases: settings.LIMIT_ALIASES,
      tokens: settings.LIMIT_TOKENS,
      selections: settings.LIMIT_SELECTIONS,
      cost: settings.LIMIT_COST,
      bodyBytes: settings.LIMIT_BODY_BYTES,
      requestMs: settings.LIMIT_REQUEST_MS,
      cachedOperations: settings.LIMIT_CACHED_OPERATIONS,
      cachedSignatures: settings.LIMIT_CACHED_SIGNATURES,
    },
    subscriptions: subscriptionsConfig(settings),
    corsOrigins: corsOrigins(settings.CORS_ORIGINS),
    production: settings.NODE_ENV === 'production',
    introspection: settings.INTROSPECTION ?? settings.NODE_ENV !== 'production',
    compiledExecutor: settings.COMPILED_EXECUTOR,
    trustProxy: settings.TRUST_PROXY,
    logLevel: settings.LOG_LEVEL,
  };
}

function registrySource(file: string | undefined, json: string | undefined): RegistrySource {
  if (file !== undefined) return { file };
  if (json !== undefined) return { json };
  throw new ConfigurationError('The configuration is not valid. REGISTRY_FILE or REGISTRY: one of them is required');
}

function privateKey(json: string | undefined, file: string | undefined): Es256PrivateKey {
  const variable = json === undefined ? 'GATEWAY_PRIVATE_KEY_FILE' : 'GATEWAY_PRIVATE_KEY';
  if (json === undefined && file === undefined) {
    throw new ConfigurationError(
      'The configuration is not valid. GATEWAY_PRIVATE_KEY or GATEWAY_PRIVATE_KEY_FILE: one of them is required',
    );
  }
  let text: string;
  try {
    text = json ?? readFileSync(file ?? '', 'utf8');
  } catch {
    throw new ConfigurationError(`The configuration is not valid. ${variable}: the file cannot be read`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes its input, which is a private key.
    throw new ConfigurationError(`The configuration is not valid. ${variable}: is not JSON`);
  }
  const key = es256PrivateKey.safeParse(value);
  if (!key.success) {
    throw new ConfigurationError(
      `The configuration is not valid. ${variable}: is not an ES256 private JWK with kid`,
    );
  }
  return key.data;
}

function corsOrigins(list: string): string[] {
  const origins = list
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '');
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new ConfigurationError('The configuration is not valid. CORS_ORIGINS: must be origins such as https://example.org');
    }
  }
  return origins;
}
