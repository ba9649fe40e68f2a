import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

/** The other end of the bare outbox loop: one HTTP endpoint that applies a batch in one transaction and answers its claims. */
const pool = new pg.Pool({ connectionString: process.env.TARGET_URL, max: 2 });
const holder = process.env.HOLDER;

const ROW = `jsonb_to_recordset($1) as r
  (coupling_id uuid, record_id uuid, kind text, start_at timestamptz, end_at timestamptz, offer_title text, booking text, version int, claim_version int, ended boolean)
  join coupling c on c.id = r.coupling_id`;
const CLAIMS = {
  name: 'claims',
  text: `select r.record_id as id, a.verdict from ${ROW}
         cross join lateral claim_apply(c.guide_id, $2, r.record_id, 1, r.claim_version, r.start_at, r.end_at, now()) a
         where r.kind = 'CLAIM'`,
};
const COPIES = {
  name: 'copies',
  text: `insert into foreign_booking as f (coupling_id, id, guide_id, link_id, incarnation, version, start_at, end_at, offer_title, kind, ended, received_at)
         select r.coupling_id, r.record_id, c.guide_id, c.link_id, 1, r.version, r.start_at, r.end_at, r.offer_title, r.booking, r.ended, now()
         from ${ROW} where r.kind = 'ASSIGNMENT'
         on conflict (coupling_id, id) do update set
           version = excluded.version, start_at = excluded.start_at, end_at = excluded.end_at, offer_title = excluded.offer_title, ended = excluded.ended
         where f.version < excluded.version`,
};

async function apply(body: string): Promise<string> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const { rows } = await client.query({ ...CLAIMS, values: [body, holder] });
    await client.query({ ...COPIES, values: [body] });
    await client.query('commit');
    return JSON.stringify(rows);
  } finally {
    client.release();
  }
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    apply(Buffer.concat(chunks).toString()).then(
      (answer) => response.end(answer),
      () => response.writeHead(500).end(),
    );
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
process.once('SIGTERM', () => process.exit(0));
