import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

/** The other end of the bare outbox loop: one HTTP endpoint that applies a batch in one statement and acknowledges it. */
const pool = new pg.Pool({ connectionString: process.env.TARGET_URL, max: 2 });

const APPLY = {
  name: 'apply',
  text: `insert into replica select * from jsonb_to_recordset($1) as r (id uuid, start_at timestamptz, end_at timestamptz, title text, version int)
         on conflict (id) do update set start_at = excluded.start_at, end_at = excluded.end_at, title = excluded.title, version = excluded.version
         where replica.version < excluded.version`,
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    pool.query({ ...APPLY, values: [Buffer.concat(chunks).toString()] }).then(
      () => response.end('{"ok":true}'),
      () => response.writeHead(500).end(),
    );
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
process.once('SIGTERM', () => process.exit(0));
