import pg from 'pg';
import { Pool } from 'undici';

/** The least an outbox loop can be: woken by NOTIFY, what waits as JSON over HTTP, as much at once as Lotse, removed as what was delivered. */
const BATCH = 400;
const READ = {
  name: 'read',
  text: `select o.coupling_id, o.kind, o.record_id, o.seq, a.guide_id, a.claim_version, p.start_at, p.end_at, p.offer_title, p.kind as booking, p.version, p.ended
         from outbox o
         join guide_assignment a on a.id = o.record_id
         join partner_assignment p on p.coupling_id = o.coupling_id and p.id = o.record_id
         where o.kind in ('CLAIM', 'ASSIGNMENT') order by o.seq limit ${BATCH}`,
};
const REST = { name: 'rest', text: `delete from outbox where kind not in ('CLAIM', 'ASSIGNMENT')` };
const ANSWERED = {
  name: 'answered',
  text: 'update guide_assignment a set verification = v.verdict from unnest($1::uuid[], $2::text[]) v (id, verdict) where a.id = v.id and a.verification <> v.verdict',
};
const REMOVE = {
  name: 'remove',
  text: `delete from outbox o using unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[]) d (coupling_id, kind, record_id, seq)
         where o.coupling_id = d.coupling_id and o.kind = d.kind and o.record_id = d.record_id and o.seq = d.seq`,
};

interface Waiting {
  coupling_id: string;
  kind: string;
  record_id: string;
  seq: string;
}

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
    await pool.query(REST);
    for (;;) {
      const { rows } = await pool.query<Waiting>(READ);
      if (rows.length === 0) break;
      const { statusCode, body } = await target.request({ path: '/', method: 'POST', body: JSON.stringify(rows) });
      if (statusCode !== 200) throw new Error(`the receiver answered ${statusCode}`);
      const verdicts = (await body.json()) as { id: string; verdict: string }[];
      await pool.query({ ...ANSWERED, values: [verdicts.map(({ id }) => id), verdicts.map(({ verdict }) => verdict)] });
      await pool.query({ ...REMOVE, values: [rows.map((row) => row.coupling_id), rows.map((row) => row.kind), rows.map((row) => row.record_id), rows.map((row) => row.seq)] });
    }
  }
  running = false;
}

await listener.connect();
listener.on('notification', () => void drain());
await listener.query('listen lotse_event');
await drain();
process.send?.({ type: 'ready', url: 'none' });
process.once('SIGTERM', () => process.exit(0));
