import { createServer } from 'node:http';
import { execute, parse } from 'graphql';
import { CalendarResolver } from '../../instance-server/modules/calendar/index.js';
import { Guide, GuideResolver } from '../../instance-server/modules/guides/index.js';
import { CoupledGuideResolver } from '../../instance-server/modules/links/index.js';
import { FederationResolver } from '../../instance-server/federation/federation.resolver.js';
import { buildDeclaredSchema } from '../../instance-server/schema.js';
import { codeOf, entriesOf, GLOBAL_ID, GUIDE_ID } from './data.js';

/**
 * N instances in one process, on ports of their own: the real federation schema over fixed data. An answer is computed once for each
 * distinct question and then sent from memory, so that this process is never what a run waits for.
 */
const count = Number(process.env.INSTANCES);
const publicJwk: unknown = JSON.parse(process.env.PUBLIC_JWK ?? '{}');

function resolversOf(instance: number): ReadonlyMap<unknown, object> {
  const info = { code: codeOf(instance), name: `House ${instance}`, url: `https://house-${instance}.example.org` };
  const isHome = instance === 0;
  const guide = Object.assign(new Guide(), { id: isHome ? GUIDE_ID : GLOBAL_ID, displayName: 'Greta Guide' });
  const calendar = entriesOf(instance, count).map(({ id, start, end, offerTitle }) => ({
    id,
    start,
    end,
    offerTitle,
    origin: 'LOCAL',
    instance: info,
    details: isHome ? { bookingId: id, customer: { name: 'Group', email: 'group@example.org', phone: null }, partySize: 12, language: 'de', notes: null } : null,
  }));
  const grants = Array.from({ length: count - 1 }, (_, index) => ({ instance: codeOf(index + 1), token: `grant.${index + 1}.${'x'.repeat(420)}`, globalId: GLOBAL_ID }));
  return new Map<unknown, object>([
    [GuideResolver, { guide: () => guide }],
    [CalendarResolver, { calendar: () => calendar }],
    [CoupledGuideResolver, { linkedGrants: () => (isHome ? grants : []) }],
    [FederationResolver, { entities: (_ctx: unknown, representations: unknown[]) => representations.map(() => guide) }],
  ]);
}

async function serve(instance: number): Promise<string> {
  const resolvers = resolversOf(instance);
  const schema = await buildDeclaredSchema({ get: (cls: unknown) => resolvers.get(cls) ?? {} });
  const answers = new Map<string, string>();
  const wellKnown = JSON.stringify({
    code: codeOf(instance),
    name: `House ${instance}`,
    url: `https://house-${instance}.example.org`,
    logo: null,
    homepage: null,
    locale: 'de',
    timeZone: 'Europe/Berlin',
    protocol: 1,
    jwks: { keys: instance === 0 ? [publicJwk] : [] },
  });
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const send = (text: string): void => void response.writeHead(200, { 'content-type': 'application/json' }).end(text);
      if (request.url === '/.well-known/lotse.json') return send(wellKnown);
      const known = answers.get(body);
      if (known) return send(known);
      const { query, variables } = JSON.parse(body) as { query: string; variables?: Record<string, unknown> };
      void Promise.resolve(execute({ schema, document: parse(query), variableValues: variables })).then((result) => {
        const text = JSON.stringify(result);
        answers.set(body, text);
        send(text);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

const endpoints = await Promise.all(Array.from({ length: count }, (_, instance) => serve(instance)));
process.send?.({ type: 'ready', url: JSON.stringify(endpoints) });
process.on('disconnect', () => process.exit(0));
