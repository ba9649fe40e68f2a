import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { currentLocation } from '../postgres/cluster.js';
import { deleteEmbeddedPostgres } from '../postgres/embedded.js';
import { settlePreviousServer } from '../postgres/previous-server.js';
import { publicFileOf, writeKeyPair } from '../operator/keys.js';

export const demoAccount = z.object({
  instance: z.string(),
  role: z.enum(['GUIDE', 'STAFF', 'ADMINISTRATOR']),
  email: z.string(),
  password: z.string(),
  guideId: z.string().optional(),
});
export type DemoAccount = z.infer<typeof demoAccount>;

const secretsShape = z.record(z.string(), z.string().min(32));
/** Written when everything is planted, never before: without it whatever is in the databases is half a season. */
const seasonShape = z.object({ today: z.string(), accounts: z.array(demoAccount) });
export type Season = z.infer<typeof seasonShape>;

/** How long `--reset` waits for a server of a demo that is just ending. */
const PREVIOUS_SERVER_MS = 10_000;

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Readers see the old file or the new one, never half of one. */
export async function writeAtomically(path: string, value: unknown, mode: number): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  await writeFile(draft, `${JSON.stringify(value, null, 2)}\n`, { mode });
  await rename(draft, path);
}

/** Everything the demo keeps between starts. Responsible for its paths and for what must be secret on disk. */
export class DemoFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  readonly at = (...names: string[]): string => join(this.path, ...names);

  get cluster(): string {
    return this.at('postgres');
  }

  get registry(): string {
    return this.at('registry.json');
  }

  get gatewayKey(): string {
    return this.at('gateway.jwk');
  }

  get operatorKey(): string {
    return this.at('operator.jwk');
  }

  async open(): Promise<void> {
    // Others may pass through: as root the database runs as another user, whose folder lies within. Files have modes of their own.
    await mkdir(this.path, { recursive: true, mode: 0o711 });
    await mkdir(this.at('logs'), { recursive: true, mode: 0o700 });
    await mkdir(this.at('mail'), { recursive: true, mode: 0o700 });
  }

  /** Deletes what the demo has made here, and nothing else. @throws when a demo runs on this folder. */
  async reset(): Promise<void> {
    const location = await currentLocation(this.cluster);
    await settlePreviousServer(location, PREVIOUS_SERVER_MS);
    await deleteEmbeddedPostgres(this.cluster);
    const files = [this.gatewayKey, this.operatorKey].flatMap((file) => [file, publicFileOf(file)]);
    for (const path of [...files, this.registry, this.at('secrets.json'), this.at('season.json'), this.at('demo.json'), this.at('logs'), this.at('mail')]) {
      await rm(path, { recursive: true, force: true });
    }
  }

  /**
   * Secrets and keys, made on first use. Lost ones are made anew, and the season is forgotten with them: what the
   * instances have encrypted could not be read any more.
   */
  async secrets(codes: readonly string[]): Promise<{ instances: Map<string, string>; gatewayPublicKey: string; operatorPublicKey: string }> {
    const kept = secretsShape.safeParse(await readJson(this.at('secrets.json'))).data ?? {};
    if (codes.some((code) => kept[code] === undefined)) {
      await this.forgetSeason();
      for (const code of codes) kept[code] ??= randomBytes(32).toString('base64url');
      await writeAtomically(this.at('secrets.json'), kept, 0o600);
    }
    return {
      instances: new Map(Object.entries(kept)),
      gatewayPublicKey: await this.#keyPair(this.gatewayKey),
      operatorPublicKey: await this.#keyPair(this.operatorKey),
    };
  }

  async #keyPair(file: string): Promise<string> {
    const isWhole = (await readJson(file)) !== undefined && (await readJson(publicFileOf(file))) !== undefined;
    if (!isWhole) {
      for (const path of [file, publicFileOf(file)]) await rm(path, { force: true });
      await writeKeyPair(file);
    }
    return readFile(publicFileOf(file), 'utf8');
  }

  async season(): Promise<Season | undefined> {
    return seasonShape.safeParse(await readJson(this.at('season.json'))).data;
  }

  writeSeason(season: Season): Promise<void> {
    return writeAtomically(this.at('season.json'), season, 0o600);
  }

  async forgetSeason(): Promise<void> {
    await rm(this.at('season.json'), { force: true });
  }
}
