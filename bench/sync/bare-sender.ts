import pg from 'pg';
import { Pool } from 'undici';

/** The least an outbox loop can be: woken by NOTIFY, a hundred rows as JSON over HTTP, deleted as what was delivered. */
const BATCH = 100;
const READ = {
  name: 'read',
  text: `select o.seq, r.id, r.start_at, r.end_at, r.title, r.version from waiting o join record r on r.id = o.id order by o.seq limit ${BATCH}`,
};
const REMOVE = { name: 'remove', text: 'delete from waiting w using unnest($1::uuid[], $2::bigint[]) d (id, seq) where w.id = d.id and w.seq = d.seq' };

const pool = new pg.Pool({ connectionString: process.env.SOURCE_URL, max: 2 });
const listener = new pg.Client({ connectionString: process.env.SOURCE_URL });
const target = new Pool(process.env.RECEIVER_URL ?? '', { connections: 1 });

let running = false;
let woken = false;
async function drain(): Promise<void> {
  woken = true;
  if (running) return;
  running = true;
  while (woken) {
    woken = false;
    for (;;) {
      const { rows } = await pool.query<{ seq: string; id: string }>(READ);
      if (rows.length === 0) break;
      const { statusCode, body } = await target.request({ path: '/', method: 'POST', body: JSON.stringify(rows) });
      await body.dump();
      if (statusCode !== 200) throw new Error(`the receiver answered ${statusCode}`);
      await pool.query({ ...REMOVE, values: [rows.map((row) => row.id), rows.map((row) => row.seq)] });
    }
  }
  running = false;
}

await listener.connect();
listener.on('notification', () => void drain());
await listener.query('listen waiting');
process.send?.({ type: 'ready', url: 'none' });
process.once('SIGTERM', () => process.exit(0));
