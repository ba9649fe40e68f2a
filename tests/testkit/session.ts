import { Client } from 'pg';
import { databaseUrl } from './postgres.js';
import { until } from './until.js';

/** A transaction of its own on a house's database: it holds what another one would hold, for as long as a test wants. */
export class Session {
  private constructor(private readonly client: Client) {}

  static async begin(database: string): Promise<Session> {
    const client = new Client({ connectionString: databaseUrl(database) });
    await client.connect();
    await client.query('begin');
    // Whoever has to wait here waits for somebody who waits for this.
    await client.query(`set local lock_timeout = '3s'`);
    return new Session(client);
  }

  async run<T = unknown>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    return (await this.client.query(sql, [...values])).rows as T[];
  }

  /** Somebody waits for this transaction, or for one who does. */
  async isWaitedFor(): Promise<void> {
    const [own] = await this.run<{ pid: number }>('select pg_backend_pid() as pid');
    await until(async () => (await this.run('select 1 from pg_stat_activity where datname = current_database() and $1 = any (pg_blocking_pids(pid))', [own?.pid])).length > 0);
  }

  async end(how: 'commit' | 'rollback' = 'commit'): Promise<void> {
    try {
      await this.client.query(how);
    } finally {
      await this.client.end();
    }
  }
}
