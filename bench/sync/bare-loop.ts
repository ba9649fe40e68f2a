import { join } from 'node:path';
import pg from 'pg';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { type Contender, startPinned } from '../harness.js';

const entry = (name: string): string => join(projectRoot, 'dist/bench/sync', name);

/** A record, its outbox and its trigger, as small as they can be, with the loop over them. */
export class BareLoop {
  private constructor(
    private readonly source: pg.Client,
    private readonly target: pg.Client,
    private readonly processes: readonly Contender[],
    private readonly count: number,
  ) {}

  static async start(adminUrl: string, count: number): Promise<BareLoop> {
    const admin = new pg.Client({ connectionString: adminUrl });
    await admin.connect();
    await admin.query('create database bare_source');
    await admin.query('create database bare_target');
    await admin.end();
    const urlOf = (database: string): string => {
      const url = new URL(adminUrl);
      url.pathname = `/${database}`;
      return url.toString();
    };
    const source = new pg.Client({ connectionString: urlOf('bare_source') });
    const target = new pg.Client({ connectionString: urlOf('bare_target') });
    await Promise.all([source.connect(), target.connect()]);
    await target.query('create table replica (id uuid primary key, start_at timestamptz, end_at timestamptz, title text, version int)');
    await source.query(`
      create table record (id uuid primary key, start_at timestamptz, end_at timestamptz, title text, version int);
      create table waiting (id uuid primary key, seq bigint);
      create index waiting_seq on waiting (seq);
      create sequence waiting_number;
      create function changed() returns trigger language plpgsql as $$
      begin
        insert into waiting values (new.id, nextval('waiting_number')) on conflict (id) do update set seq = excluded.seq;
        perform pg_notify('waiting', '');
        return null;
      end $$;
      create trigger changed after insert or update on record for each row execute function changed();
    `);
    const receiver = await startPinned(entry('bare-receiver.js'), { TARGET_URL: urlOf('bare_target') }, 1);
    const sender = await startPinned(entry('bare-sender.js'), { SOURCE_URL: urlOf('bare_source'), RECEIVER_URL: receiver.url });
    const loop = new BareLoop(source, target, [sender, receiver], count);
    await source.query(
      `insert into record select gen_random_uuid(), timestamptz '2031-01-01' + n * interval '15 min', timestamptz '2031-01-01' + n * interval '15 min' + interval '10 min', 'Tour of the castle', 1
       from generate_series(1, $1::int) n`,
      [count],
    );
    await loop.applied(1);
    return loop;
  }

  /** Changes every record in one transaction. Resolves with the time of the commit. */
  async change(version: number): Promise<number> {
    await this.source.query('begin');
    await this.source.query(`update record set version = $1, start_at = start_at + interval '1 min'`, [version]);
    await this.source.query('commit');
    return performance.now();
  }

  async applied(version: number): Promise<void> {
    await poll(async () => {
      const { rows } = await this.target.query<{ count: number }>('select count(*)::int as count from replica where version = $1', [version]);
      return rows[0]?.count === this.count;
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.stop()));
    await Promise.all([this.source.end(), this.target.end()]);
  }
}

const POLL_MS = 5;

/** Asks again until it holds. @throws after a minute */
export async function poll(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('the changes have not arrived within a minute');
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, POLL_MS);
    await promise;
  }
}
