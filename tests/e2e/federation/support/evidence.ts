import { readFile } from 'node:fs/promises';
import { Client, escapeIdentifier } from 'pg';
import { type Canary, COUPLED, type Federation, type House, isOf, type Sighting } from '../../../testkit/federation.js';
import { databaseUrl, postgresLogPath } from '../../../testkit/postgres.js';

interface Piece {
  readonly where: string;
  readonly text: string;
  readonly isAllowed: (canary: Canary) => boolean;
}

const nothing = (): boolean => false;

/**
 * Everything that could give a house's secrets away: what clients were answered, what processes and PostgreSQL logged,
 * what was notified and queued, and every row of every database.
 */
export class Evidence {
  readonly #pieces: Piece[] = [];
  readonly #listeners: Client[] = [];
  /** Payloads of notifications, as they came. */
  readonly notified: string[] = [];

  private constructor(private readonly federation: Federation) {}

  /** Listens and records from now on. */
  static async open(federation: Federation): Promise<Evidence> {
    const evidence = new Evidence(federation);
    for (const house of federation.houses) await evidence.#listen(house);
    return evidence;
  }

  async #listen(house: House): Promise<void> {
    const client = new Client({ connectionString: databaseUrl(house.instance.database) });
    this.#listeners.push(client);
    await client.connect();
    client.on('notification', ({ channel, payload = '' }) => {
      this.notified.push(payload);
      this.#pieces.push({ where: `event ${channel} of ${house.code}`, text: payload, isAllowed: nothing });
    });
    await client.query('listen lotse_event; listen "jobs:insert"');
    // Jobs are gone once they are done: each is copied as it is queued.
    await client.query(`
      create table public.seen_job (job text);
      create function public.see_job() returns trigger language plpgsql security definer as
        $$ begin insert into public.seen_job values (new::text); return new; end $$;
      create trigger see_job after insert or update on graphile_worker._private_jobs for each row execute function public.see_job()`);
  }

  /** What somebody was answered. */
  answered(where: string, text: string, isAllowed: (canary: Canary) => boolean): void {
    this.#pieces.push({ where, text, isAllowed });
  }

  /** How many answers, events and so on were looked at. */
  get pieces(): number {
    return this.#pieces.length;
  }

  /** All jobs queued so far. */
  async jobs(): Promise<string[]> {
    const all = await Promise.all(this.#listeners.map((client) => client.query<{ job: string }>('select job from public.seen_job')));
    return all.flatMap(({ rows }) => rows.map(({ job }) => job));
  }

  /** Columns that can hold a text and hold no canary in any row of this house: `table.column`, sorted. */
  async withoutCanary(house: House): Promise<string[]> {
    const client = this.#listeners[this.federation.houses.indexOf(house)] as Client;
    const { rows: columns } = await client.query<{ table: string; column: string }>(
      `select table_name as table, column_name as column from information_schema.columns
       where table_schema = 'public' and table_name <> 'seen_job' and data_type in ('text', 'character varying', 'jsonb', 'json', 'ARRAY')
         and table_name in (select tablename from pg_tables where schemaname = 'public')
       order by 1, 2`,
    );
    const empty: string[] = [];
    for (const { table, column } of columns) {
      const { rows } = await client.query<{ value: string | null }>(`select ${escapeIdentifier(column)}::text as value from ${escapeIdentifier(table)}`);
      if (this.federation.canaries.in(rows.map(({ value }) => value).join('\n')).length === 0) empty.push(`${table}.${column}`);
    }
    return empty;
  }

  async sightings(): Promise<Sighting[]> {
    const { canaries, houses, gateway } = this.federation;
    const pieces = [...this.#pieces];
    for (const { name, logFile } of [gateway, ...houses.map(({ server }) => server)]) {
      pieces.push({ where: `log of ${name}`, text: await readFile(logFile, 'utf8'), isAllowed: nothing });
    }
    pieces.push({ where: 'log of PostgreSQL', text: await readFile(postgresLogPath(), 'utf8'), isAllowed: nothing });
    for (const [index, client] of this.#listeners.entries()) {
      const house = houses[index] as House;
      for (const { table, rows } of await everyRow(client)) {
        const isAllowed = table.endsWith('seen_job') ? nothing : (canary: Canary) => isOf(canary, house.code) || (PROFILES.has(table) && isSharedProfile(canary, house.code)) || (table === 'public.foreign_booking' && isReplicated(canary, house));
        pieces.push({ where: `${table} of ${house.code}`, text: rows.join('\n'), isAllowed });
      }
    }
    return pieces.flatMap(({ where, text, isAllowed }) => canaries.sightings(where, text, isAllowed));
  }

  /** What looks like a token in what processes wrote down. */
  async loggedTokens(): Promise<string[]> {
    const { houses, gateway } = this.federation;
    const texts = await Promise.all([gateway, ...houses.map(({ server }) => server)].map(({ logFile }) => readFile(logFile, 'utf8')));
    return texts.flatMap((text) => text.match(/eyJ[\w-]{8,}\.[\w-]*/g) ?? []);
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((client) => client.end()));
  }
}

/** The one text that leaves a house: public titles of offers that a guide coupled in both is booked for. */
const isReplicated = ({ house: of, field }: Canary, house: House): boolean =>
  /^(first|second) offer title$/.test(field) && Object.values(COUPLED).some((houses) => houses.includes(of) && houses.includes(house.code));

/** Where a partner's values of a profile come to stand: the profile, and the action log that tells of them. */
const PROFILES: ReadonlySet<string> = new Set(['public.guide', 'public.audit_entry']);

/** In a season each house couples a guide of its own with the partner's `solo`, so the two become one profile. */
const SEASON_PARTNERS: Readonly<Record<string, string>> = { alpha: 'beta', beta: 'gamma', gamma: 'alpha' };

/** Whether it is of a profile that the two houses share. */
export function isSharedProfile({ house: of, field }: Canary, code: string): boolean {
  const isOfSeason = SEASON_PARTNERS[of] === code && /^season: (first name|last name|profile email|phone|account holder)$/.test(field);
  return isOfSeason || (SEASON_PARTNERS[code] === of && /^solo (first name|last name|profile email|phone)$/.test(field));
}

async function everyRow(client: Client): Promise<{ table: string; rows: string[] }[]> {
  const { rows: tables } = await client.query<{ schema: string; name: string }>(
    `select schemaname as schema, tablename as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2`,
  );
  const dump: { table: string; rows: string[] }[] = [];
  for (const { schema, name } of tables) {
    const { rows } = await client.query<{ row: string }>(`select t::text as row from ${escapeIdentifier(schema)}.${escapeIdentifier(name)} t`);
    dump.push({ table: `${schema}.${name}`, rows: rows.map(({ row }) => row) });
  }
  return dump;
}
