import { createServer } from 'node:http';
import type { JsonWebKey } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { Pool } from 'undici';
import { publicKeyFromJwk } from '../../instance-server/platform/keys.js';

/**
 * The yardstick: what somebody would write by hand for this one question, in plain Node. It verifies the token, asks home for its
 * entries and the grants, asks the partners in parallel, stamps, merges and sorts.
 */
interface Entry {
  id: string;
  start: string;
  [member: string]: unknown;
}
interface HomeAnswer {
  data: { guide: { id: string; displayName: string; calendar: Entry[]; linkedGrants?: { instance: string; token: string; globalId: string }[] } };
}

const endpoints = JSON.parse(process.env.ENDPOINTS ?? '[]') as string[];
const key = publicKeyFromJwk(JSON.parse(process.env.PUBLIC_JWK ?? '{}') as JsonWebKey);
const pools = endpoints.map((endpoint) => new Pool(endpoint, { connections: 64 }));
const codes = new Map(endpoints.map((_, index) => [`house-${index}`, index]));
const home = 'house-0';

const HOME = `query($id:ID!,$range:TimeRangeInput!){guide(id:$id){id displayName linkedGrants{instance token globalId} calendar(range:$range){id start end origin offerTitle instance{code name url} details{bookingId customer{name email phone} partySize language notes}}}}`;
const PARTNER = `query($r:[_Any!]!,$range:TimeRangeInput!){_entities(representations:$r){...on Guide{calendar(range:$range){id start end offerTitle}}}}`;

async function ask(index: number, token: string, body: string): Promise<unknown> {
  const pool = pools[index];
  if (!pool) throw new Error('unknown house');
  const answer = await pool.request({ path: '/federation', method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body });
  return JSON.parse(await answer.body.text());
}

async function calendar(token: string, text: string): Promise<string> {
  jwt.verify(token, key, { algorithms: ['ES256'], issuer: home, audience: home });
  const { variables } = JSON.parse(text) as { variables: { id: string; range: unknown } };
  const { data } = (await ask(0, token, JSON.stringify({ query: HOME, variables }))) as HomeAnswer;
  const { guide } = data;
  const grants = guide.linkedGrants ?? [];
  delete guide.linkedGrants;
  const foreign = await Promise.all(
    grants.map(async (grant) => {
      const body = JSON.stringify({ query: PARTNER, variables: { r: [{ __typename: 'Guide', id: grant.globalId }], range: variables.range } });
      const answer = (await ask(codes.get(grant.instance) ?? -1, grant.token, body)) as { data: { _entities: [{ calendar: Entry[] }] } };
      const instance = { code: grant.instance, name: grant.instance, url: `https://${grant.instance}.example.org` };
      return answer.data._entities[0].calendar.map(({ id, start, end, offerTitle }) => ({ id, start, end, origin: 'FOREIGN', offerTitle, instance, details: null }));
    }),
  );
  guide.calendar = [...guide.calendar, ...foreign.flat()].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.id < b.id ? -1 : 1));
  return JSON.stringify({ data: { guide } });
}

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    calendar((request.headers.authorization ?? '').slice(7), body).then(
      (text) => response.writeHead(200, { 'content-type': 'application/json' }).end(text),
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
