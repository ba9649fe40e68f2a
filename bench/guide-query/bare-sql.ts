import { createServer } from 'node:http';
import type { JsonWebKey } from 'node:crypto';
import jwt from 'jsonwebtoken';
import pg from 'pg';
import { publicKeyFromJwk } from '../../instance-server/platform/keys.js';

/** The yardstick of the instance server: the token verified, the same SQL through bare `pg`, `JSON.stringify`, Node's own HTTP server. */
const pool = new pg.Pool({ connectionString: process.env.GUIDE_URL, max: 10 });
const key = publicKeyFromJwk(JSON.parse(process.env.PUBLIC_JWK ?? '{}') as JsonWebKey);
const SQL = {
  name: 'calendar_of_guide',
  text: 'select id, start_at, end_at, offer_title, kind, booking_id, customer_name, customer_email, customer_phone, party_size, language, notes, partner_code, partner_name, partner_url, as_of, disputed from calendar_of_guide($1, $2, $3)',
};

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    jwt.verify((request.headers.authorization ?? '').slice(7), key, { algorithms: ['ES256'], issuer: 'bench', audience: 'bench' });
    const { variables } = JSON.parse(body) as { variables: { id: string; range: { start: string; end: string } } };
    pool.query({ ...SQL, values: [variables.id, variables.range.start, variables.range.end] }).then(
      ({ rows }) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data: { guide: { calendar: rows } } })),
      () => response.writeHead(500).end(),
    );
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address !== 'string') process.send?.({ type: 'ready', url: `http://127.0.0.1:${address.port}` });
});
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
