import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError, readConfig } from '../../../gateway/config.js';
import { testKey } from '../../integration/gateway/support/keys.js';

const key = testKey('gateway');
const required = { REGISTRY: '{"instances":[]}', GATEWAY_PRIVATE_KEY: JSON.stringify(key.privateJwk) };

describe('the gateway\'s configuration', () => {
  test('has a default for everything but registry and key', () => {
    expect(readConfig(required)).toMatchObject({
      host: '127.0.0.1',
      port: 4000,
      registry: { json: '{"instances":[]}' },
      supergraphFile: 'schema/supergraph.graphql',
      privateKey: { kid: 'gateway', crv: 'P-256' },
      upstream: { timeoutMs: 2_000, maxBytes: 2_097_152, maxEntries: 5_000, breakerFailures: 5, breakerHalfOpenMs: 2_000 },
      directory: { pollMs: 30_000 },
      limits: { depth: 12, aliases: 30, tokens: 2_000, cost: 20_000, selections: 5_000, bodyBytes: 102_400, requestMs: 10_000 },
      corsOrigins: [],
      production: false,
      introspection: true,
      compiledExecutor: true,
      logLevel: 'info',
    });
  });

  test.each<[Record<string, string>, object]>([
    [{ PORT: '0', HOST: '::' }, { port: 0, host: '::' }],
    [{ REGISTRY_FILE: 'registry.json' }, { registry: { file: 'registry.json' } }],
    [{ NODE_ENV: 'production' }, { production: true, introspection: false }],
    [{ NODE_ENV: 'production', INTROSPECTION: 'true' }, { production: true, introspection: true }],
    [{ CORS_ORIGINS: 'https://a.example.org, http://localhost:3000' }, { corsOrigins: ['https://a.example.org', 'http://localhost:3000'] }],
    [{ LIMIT_ALIASES: '0' }, { limits: { aliases: 0 } }],
  ])('reads %j', (environment, expected) => {
    expect(readConfig({ ...required, ...environment })).toMatchObject(expected);
  });

  test('reads the key from a file', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'lotse-config-')), 'key.json');
    writeFileSync(file, required.GATEWAY_PRIVATE_KEY);
    expect(readConfig({ REGISTRY: '{}', GATEWAY_PRIVATE_KEY_FILE: file }).privateKey.kid).toBe('gateway');
  });

  test.each<[string, Record<string, string | undefined>]>([
    ['PORT', { PORT: 'http' }],
    ['PORT', { PORT: '65536' }],
    ['UPSTREAM_TIMEOUT_MS', { UPSTREAM_TIMEOUT_MS: '0' }],
    ['LIMIT_DEPTH', { LIMIT_DEPTH: '-1' }],
    ['LIMIT_TOKENS', { LIMIT_TOKENS: '1e3' }],
    ['INTROSPECTION', { INTROSPECTION: 'yes' }],
    ['LOG_LEVEL', { LOG_LEVEL: 'loud' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: '*' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'https://a.example.org/path' }],
    ['REGISTRY', { REGISTRY: undefined }],
    ['GATEWAY_PRIVATE_KEY', { GATEWAY_PRIVATE_KEY: undefined }],
    ['GATEWAY_PRIVATE_KEY', { GATEWAY_PRIVATE_KEY: '{"d":"secret"' }],
    ['GATEWAY_PRIVATE_KEY', { GATEWAY_PRIVATE_KEY: JSON.stringify({ ...key.publicJwk, secret: 'secret' }) }],
    ['GATEWAY_PRIVATE_KEY_FILE', { GATEWAY_PRIVATE_KEY: undefined, GATEWAY_PRIVATE_KEY_FILE: '/nowhere/secret' }],
  ])('names %s when it cannot be used, and not its value', (variable, environment) => {
    const reading = () => readConfig({ ...required, ...environment });
    expect(reading).toThrow(ConfigurationError);
    expect(reading).toThrow(variable);
    expect(reading).not.toThrow('secret');
  });
});
