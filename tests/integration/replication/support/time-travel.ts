import { Client, escapeIdentifier } from 'pg';
import { databaseUrl } from '../../../testkit/postgres.js';
import type { ReplicatingHouse } from './houses.js';

async function asSuperuser<T>(house: ReplicatingHouse, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: databaseUrl(house.instance.database) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** What a backup of a house would hold now; the function given restores it, with the server stopped and started again around it. */
export async function backup(house: ReplicatingHouse): Promise<() => Promise<void>> {
  const kept = new Map<string, string>();
  const sequence = await asSuperuser(house, async (client) => {
    const { rows } = await client.query<{ name: string }>(`select tablename as name from pg_tables where schemaname = 'public' and tablename <> 'mikro_orm_migrations'`);
    await client.query('begin isolation level repeatable read');
    for (const { name } of rows) {
      const { rows: content } = await client.query<{ rows: string }>(`select coalesce(jsonb_agg(t), '[]')::text as rows from ${escapeIdentifier(name)} t`);
      kept.set(name, content[0]?.rows ?? '[]');
    }
    await client.query('commit');
    return (await client.query<{ last_value: string }>('select last_value from outbox_seq')).rows[0]?.last_value;
  });
  return async () => {
    await house.stop();
    await asSuperuser(house, async (client) => {
      await client.query('begin');
      // No trigger fires and no constraint is checked: the state was one, and becomes one again.
      await client.query('set local session_replication_role = replica');
      for (const [name, rows] of kept) {
        const table = escapeIdentifier(name);
        await client.query(`delete from ${table}`);
        await client.query(`insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1::jsonb)`, [rows]);
      }
      await client.query(`select setval('outbox_seq', $1)`, [sequence]);
      await client.query('commit');
    });
    await house.start();
  };
}
