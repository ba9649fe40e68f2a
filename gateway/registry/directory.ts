import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import type { AccessKeys, Directory, RegisteredInstance } from '../types.js';
import type { Registry, RegistryEntry } from './registry.js';
import { importKeys, readWellKnown, type ImportedKey } from './well-known.js';

/** Reads an instance's `/.well-known/lotse.json`; rejects when it cannot be had. */
export type FetchWellKnown = (endpoint: string) => Promise<string>;

export interface DirectoryOptions {
  readonly registry: Registry;
  readonly fetchWellKnown: FetchWellKnown;
  readonly pollMs: number;
  readonly coolDownMs: number;
  readonly logger: Logger;
}

/** How often an instance is asked that has not said yet who it is. */
const MEETING_MS = 1_000;

interface Entry {
  readonly registered: RegistryEntry;
  instance: RegisteredInstance;
  keys: Map<string, ImportedKey>;
  /** The question under way, shared by everybody who waits for it. */
  refreshing: Promise<void> | undefined;
  /** Of performance.now(). */
  askedAt: number;
  /** Whether its own document has ever been had from this address. */
  isMet: boolean;
}

/**
 * Responsible for: what is known of each registered instance, kept when it goes down.
 * Talks to: the registry, and the instances' public documents.
 */
export class PolledDirectory implements Directory, AccessKeys {
  private entries = new Map<string, Entry>();
  private list: readonly RegisteredInstance[] = [];
  private readonly callbacks = new Set<() => void>();
  private readonly timer: NodeJS.Timeout;
  private readonly meeting: NodeJS.Timeout;

  constructor(private readonly options: DirectoryOptions) {
    this.adopt();
    options.registry.onReload(() => {
      this.adopt();
      void this.refreshAll();
    });
    this.timer = setInterval(() => void this.refreshAll(), options.pollMs);
    this.timer.unref();
    // One that did not answer the first time is not without name and keys until the next round.
    this.meeting = setInterval(() => void this.refreshUnmet(), MEETING_MS);
    this.meeting.unref();
  }

  get(code: string): RegisteredInstance | undefined {
    return this.entries.get(code)?.instance;
  }

  all(): readonly RegisteredInstance[] {
    return this.list;
  }

  onChange(callback: () => void): () => void {
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  find(code: string, kid: string): KeyObject | undefined | Promise<KeyObject | undefined> {
    const entry = this.entries.get(code);
    if (entry === undefined) return undefined;
    const known = entry.keys.get(kid);
    if (known !== undefined) return known.key;
    if (entry.registered.keys !== undefined) return undefined;
    if (entry.refreshing === undefined && performance.now() - entry.askedAt < this.options.coolDownMs) return undefined;
    return this.refresh(entry).then(() => entry.keys.get(kid)?.key);
  }

  /** Asks every instance once; resolves when all have answered or failed. */
  async refreshAll(): Promise<void> {
    await Promise.all([...this.entries.values()].map((entry) => this.refresh(entry)));
  }

  private async refreshUnmet(): Promise<void> {
    await Promise.all([...this.entries.values()].filter((entry) => !entry.isMet).map((entry) => this.refresh(entry)));
  }

  close(): void {
    clearInterval(this.timer);
    clearInterval(this.meeting);
    this.callbacks.clear();
  }

  private adopt(): void {
    const entries = new Map<string, Entry>();
    for (const registered of this.options.registry.entries()) {
      const previous = this.entries.get(registered.code);
      const same = previous !== undefined && previous.registered.endpoint === registered.endpoint;
      entries.set(registered.code, {
        registered,
        instance: {
          code: registered.code,
          endpoint: registered.endpoint,
          name: (same ? previous.instance.name : undefined) ?? registered.name ?? registered.code,
          url: (same ? previous.instance.url : undefined) ?? registered.url ?? null,
          logo: same ? previous.instance.logo : null,
          homepage: same ? previous.instance.homepage : null,
        },
        // Keys of another address are another instance's until it has answered.
        keys: importKeys(registered.keys?.keys ?? [], previous?.keys ?? new Map()),
        refreshing: undefined,
        askedAt: -Infinity,
        isMet: same && previous.isMet,
      });
      const entry = entries.get(registered.code);
      if (entry !== undefined && same && registered.keys === undefined && previous.registered.keys === undefined) {
        entry.keys = previous.keys;
      }
    }
    this.entries = entries;
    this.changed();
  }

  private refresh(entry: Entry): Promise<void> {
    entry.refreshing ??= this.ask(entry).finally(() => {
      entry.refreshing = undefined;
    });
    return entry.refreshing;
  }

  private async ask(entry: Entry): Promise<void> {
    const { registered } = entry;
    entry.askedAt = performance.now();
    let body: string;
    try {
      body = await this.options.fetchWellKnown(registered.endpoint);
    } catch {
      this.options.logger.debug({ instance: registered.code }, 'The instance did not answer, what is known of it stays.');
      return;
    }
    const facts = readWellKnown(registered.code, body);
    if (facts === undefined) {
      this.options.logger.warn({ instance: registered.code }, 'The instance describes itself in a way that cannot be used.');
      return;
    }
    entry.isMet = true;
    if (registered.keys === undefined) entry.keys = importKeys(facts.keys, entry.keys);
    const instance: RegisteredInstance = {
      code: registered.code,
      endpoint: registered.endpoint,
      name: facts.name,
      url: facts.url ?? registered.url ?? null,
      logo: facts.logo,
      homepage: facts.homepage,
    };
    if (sameFacts(instance, entry.instance)) return;
    entry.instance = instance;
    // A reload may have replaced the entry while the question was under way.
    if (this.entries.get(registered.code) === entry) this.changed();
  }

  private changed(): void {
    this.list = [...this.entries.values()].map((entry) => entry.instance);
    for (const callback of this.callbacks) callback();
  }
}

function sameFacts(one: RegisteredInstance, other: RegisteredInstance): boolean {
  return (
    one.name === other.name && one.url === other.url && one.logo === other.logo && one.homepage === other.homepage
  );
}
