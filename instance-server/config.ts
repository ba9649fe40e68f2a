import { z } from 'zod';
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { publicKeyFromJwk, thumbprint } from './platform/keys.js';

/** A setting that is missing or wrong; the message names it and never repeats its value. */
export class ConfigurationError extends Error {}

const integer = (fallback: number, min: number, max: number) => z.coerce.number().int().min(min).max(max).default(fallback);

const publicKeys = z.string().transform((text, context): Map<string, KeyObject> => {
  try {
    if (text.includes('BEGIN PUBLIC KEY')) {
      const jwk = createPublicKey(text).export({ format: 'jwk' });
      return new Map([[thumbprint(jwk), publicKeyFromJwk(jwk)]]);
    }
    const parsed = JSON.parse(text) as { keys?: JsonWebKey[] } & JsonWebKey;
    const keys = Array.isArray(parsed.keys) ? parsed.keys : [parsed as JsonWebKey];
    return new Map(keys.map((jwk) => [String(jwk.kid ?? thumbprint(jwk)), publicKeyFromJwk(jwk)]));
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a JWKS, a JWK or a PEM of public P-256 keys' });
    return z.NEVER;
  }
});

const noKeys = (): Map<string, KeyObject> => new Map<string, KeyObject>();

/** Every setting of an instance server; docs/operations.md lists them for operators. */
const environment = z.object({
  NODE_ENV: z.enum(['development', 'test', 'production']).default('production'),
  HOST: z.string().default('127.0.0.1'),
  PORT: integer(4100, 0, 65_535),
  /** Where partners and gateways reach this process, or the load balancer before it. */
  PUBLIC_ENDPOINT: z.url().optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  INSTANCE_SECRET: z.string().min(32),
  DATABASE_POOL_SIZE: integer(10, 1, 200),
  STATEMENT_TIMEOUT_MS: integer(10_000, 100, 600_000),
  GATEWAY_PUBLIC_KEYS: publicKeys.optional(),
  OPERATOR_PUBLIC_KEYS: publicKeys.optional(),
  SMTP_URL: z.url().optional(),
  MAIL_DIRECTORY: z.string().optional(),
  MAIL_FROM: z.string().default('lotse@localhost'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  TRUST_PROXY: integer(0, 0, 10),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((list) => list.split(',').map((origin) => origin.trim()).filter(Boolean)),
  INTROSPECTION: z.stringbool().optional(),
  IDEMPOTENCY_RETENTION_HOURS: integer(48, 1, 24 * 365),
  SYNC_DIGEST_MS: integer(600_000, 100, 86_400_000),
  TOMBSTONE_RETENTION_DAYS: integer(90, 1, 3_650),
  SYNC_HEARTBEAT_MS: integer(10_000, 100, 60_000),
  LIMIT_FOREIGN_BOOKINGS: integer(2_000, 1, 1_000_000),
  LIMIT_FOREIGN_RULES: integer(100, 1, 10_000),
  LIMIT_BODY_BYTES: integer(100_000, 1_000, 10_000_000),
  LIMIT_DEPTH: integer(12, 3, 100),
  LIMIT_ALIASES: integer(30, 1, 10_000),
  LIMIT_TOKENS: integer(2_000, 100, 1_000_000),
  LIMIT_COST: integer(20_000, 100, 10_000_000),
  LIMIT_PAGE_SIZE: integer(200, 1, 10_000),
  LIMIT_CLAIMS_PER_GUIDE: integer(500, 1, 100_000),
  LIMIT_CLAIM_DAYS: integer(31, 1, 366),
  LIMIT_CLAIM_HORIZON_DAYS: integer(1_830, 1, 3_660),
  LIMIT_REQUEST_MS: integer(30_000, 100, 600_000),
  LIMIT_LOGIN_PER_ACCOUNT_AND_ADDRESS: integer(10, 1, 1_000_000),
  LIMIT_LOGIN_PER_ADDRESS: integer(100, 1, 1_000_000),
  LIMIT_LOGIN_PER_ACCOUNT: integer(100, 1, 1_000_000),
  WS_MAX_PAYLOAD_BYTES: integer(100_000, 1_000, 10_000_000),
  WS_MAX_SOCKETS: integer(10_000, 1, 1_000_000),
  WS_MAX_OPERATIONS: integer(100, 1, 100_000),
  WS_MAX_BUFFERED_BYTES: integer(1_000_000, 1_000, 100_000_000),
  WS_INIT_TIMEOUT_MS: integer(5_000, 100, 60_000),
  WS_KEEP_ALIVE_MS: integer(12_000, 1_000, 600_000),
  SHUTDOWN_GRACE_MS: integer(10_000, 0, 600_000),
});

export type InstanceConfig = Omit<z.infer<typeof environment>, 'GATEWAY_PUBLIC_KEYS' | 'OPERATOR_PUBLIC_KEYS'> & {
  GATEWAY_PUBLIC_KEYS: Map<string, KeyObject>;
  OPERATOR_PUBLIC_KEYS: Map<string, KeyObject>;
};

/** @throws ConfigurationError that names every wrong variable */
export function readConfig(env: NodeJS.ProcessEnv): InstanceConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new ConfigurationError(`The environment is not complete:\n  ${problems.join('\n  ')}`);
  }
  return {
    ...parsed.data,
    GATEWAY_PUBLIC_KEYS: parsed.data.GATEWAY_PUBLIC_KEYS ?? noKeys(),
    OPERATOR_PUBLIC_KEYS: parsed.data.OPERATOR_PUBLIC_KEYS ?? noKeys(),
  };
}

export const isIntrospectionOn = (config: InstanceConfig): boolean => config.INTROSPECTION ?? config.NODE_ENV !== 'production';
