import type { UnreachableKeeper } from './instance-info.type.js';
import type { Database } from '../../platform/database/database.js';
import { type EventHub, reloadPersistently } from '../../platform/events/events.js';

export interface Settings {
  code: string;
  name: string;
  url: string;
  logo: string | null;
  homepage: string | null;
  timeZone: string;
  locale: string;
  currency: string;
  /** What linked houses read of a block in place of an offer's title. */
  blockTitle: string;
  unreachableKeeper: UnreachableKeeper;
  version: number;
}

/** Responsible for this instance's settings; held in memory, read again when an operator changed them. */
export class SettingsStore {
  #current: Settings | undefined;

  constructor(
    private readonly database: Database,
    private readonly events: EventHub,
  ) {
    this.events.listen((event) => {
      if (event.kind === 'settings' || event.kind === 'gap') reloadPersistently(() => this.load());
    });
  }

  /** @throws when the database has not been set up. */
  async load(): Promise<Settings> {
    const row = await this.database.app.sql.selectFrom('settings').selectAll().executeTakeFirst();
    if (!row) throw new Error('this database holds no instance; run the set-up first');
    this.#current = {
      code: row.code,
      name: row.name,
      url: row.url,
      logo: row.logo,
      homepage: row.homepage,
      timeZone: row.time_zone,
      locale: row.locale,
      currency: row.currency,
      blockTitle: row.block_title,
      unreachableKeeper: row.unreachable_keeper as UnreachableKeeper,
      version: row.version,
    };
    return this.#current;
  }

  get current(): Settings {
    if (!this.#current) throw new Error('settings are not loaded');
    return this.#current;
  }
}
