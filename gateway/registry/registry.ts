import { unwatchFile, watch, watchFile, readFileSync, type FSWatcher } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { ConfigurationError, type RegistrySource } from '../config.js';

/** An ES256 public key as it stands in a JWKS; other members are dropped. */
export const publicJwk = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  kid: z.string().min(1).max(200),
  x: z.string().min(1).max(64),
  y: z.string().min(1).max(64),
});

export type PublicJwk = z.infer<typeof publicJwk>;

const httpUrl = z.url({ protocol: /^https?$/u }).max(2_000);

const registryEntry = z.object({
  code: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/iu, 'must be letters, digits and hyphens'),
  endpoint: httpUrl.transform((url) => url.replace(/\/+$/u, '')),
  url: httpUrl.optional(),
  name: z.string().min(1).max(200).optional(),
  keys: z.object({ keys: z.array(publicJwk).min(1).max(20) }).optional(),
});

const registrySchema = z.object({ instances: z.array(registryEntry).max(10_000) }).superRefine((registry, context) => {
  const codes = new Set<string>();
  for (const { code } of registry.instances) {
    if (codes.has(code)) context.addIssue({ code: 'custom', message: `instance ${code} is named twice` });
    codes.add(code);
  }
});

export type RegistryEntry = z.infer<typeof registryEntry>;

export interface Registry {
  entries(): readonly RegistryEntry[];
  /** Called after each successful reload. */
  onReload(callback: () => void): void;
  close(): void;
}

/**
 * Reads the registry; a file is followed for changes. A registry that cannot be used stops the start
 * but not a running gateway, which keeps what it had and logs the reason.
 */
export function openRegistry(source: RegistrySource, logger: Logger): Registry {
  if ('json' in source) {
    const entries = parseRegistry(source.json, 'REGISTRY');
    return { entries: () => entries, onReload: () => undefined, close: () => undefined };
  }
  return watchedRegistry(resolve(source.file), logger);
}

function watchedRegistry(file: string, logger: Logger): Registry {
  let text = readText(file);
  let entries = parseRegistry(text, 'REGISTRY_FILE');
  const callbacks = new Set<() => void>();

  const reload = () => {
    try {
      const changed = readText(file);
      if (changed === text) return;
      entries = parseRegistry(changed, 'REGISTRY_FILE');
      text = changed;
    } catch (error) {
      logger.error({ reason: (error as Error).message }, 'The registry was not reloaded, the old one stays.');
      return;
    }
    logger.info({ instances: entries.map((entry) => entry.code) }, 'The registry was reloaded.');
    for (const callback of callbacks) callback();
  };

  // The directory is watched because editors and config maps replace the file; polling is the net for file systems without events.
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(file) || name.startsWith('..')) reload();
    });
    watcher.on('error', () => watcher?.close());
  } catch {
    logger.warn('The registry cannot be watched by events and is polled.');
  }
  watchFile(file, { persistent: false, interval: 2_000 }, reload);

  return {
    entries: () => entries,
    onReload: (callback) => void callbacks.add(callback),
    close: () => {
      watcher?.close();
      unwatchFile(file, reload);
    },
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new ConfigurationError('REGISTRY_FILE: the file cannot be read');
  }
}

export function parseRegistry(text: string, variable: string): readonly RegistryEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ConfigurationError(`${variable}: is not JSON`);
  }
  const parsed = registrySchema.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new ConfigurationError(`${variable}: ${problems.join('; ')}`);
  }
  return parsed.data.instances;
}
