import { WebSocket } from 'ws';
import type { Federation } from '../../../testkit/federation.js';

/** How a try to get in ended: a status of HTTP, or how a WebSocket was answered. */
export interface Try {
  readonly what: string;
  readonly outcome: string;
  readonly text: string;
}

async function http(what: string, url: string, headers: Record<string, string>, body: string): Promise<Try> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
  return { what, outcome: String(response.status), text: await response.text() };
}

/** The close code, or `acknowledged` when it was let in. */
function socket(what: string, url: string, payload: Record<string, unknown>): Promise<Try> {
  const { promise, resolve } = Promise.withResolvers<Try>();
  const opened = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  let text = '';
  opened.on('open', () => opened.send(JSON.stringify({ type: 'connection_init', payload })));
  opened.on('message', (message) => {
    text += String(message as Buffer);
    if (text.includes('connection_ack')) {
      resolve({ what, outcome: 'acknowledged', text });
      opened.terminate();
    }
  });
  opened.on('close', (code) => resolve({ what, outcome: String(code), text }));
  opened.on('error', (error) => resolve({ what, outcome: error.message, text }));
  return promise;
}

const QUESTION = JSON.stringify({ query: '{ me { id email guide { id displayName } } bookings { edges { node { id notes } } } }' });
const ENTITIES = (id: string): string =>
  JSON.stringify({
    query: `query ($ids: [_Any!]!) { _entities(representations: $ids) { ... on Guide { id calendar(range: { start: "2031-01-01T00:00:00Z", end: "2031-12-01T00:00:00Z" }) { id start end offerTitle } } } }`,
    variables: { ids: [{ __typename: 'Guide', id }] },
  });

/**
 * Shows one token everywhere, as everything it could be taken for. `credentials` are gateway credentials to show beside it.
 * `call` is a partner's call that was recorded, sent again as it came and in other words.
 */
export async function showEverywhere(
  { houses, gateway }: Federation,
  token: string,
  { credentials, guides, call }: { credentials: readonly string[]; guides: readonly string[]; call?: { path: string; body: string } },
): Promise<Try[]> {
  const bearer = { authorization: `Bearer ${token}` };
  const tries: Promise<Try>[] = [http('gateway', `${gateway.url}/graphql`, bearer, QUESTION), socket('gateway by WebSocket', `${gateway.url}/graphql`, bearer)];
  for (const { code, url } of houses) {
    tries.push(http(`${code} /graphql`, `${url}/graphql`, bearer, QUESTION), socket(`${code} /graphql by WebSocket`, `${url}/graphql`, bearer));
    for (const [index, credential] of [undefined, token, ...credentials].entries()) {
      const headers = { ...bearer, ...(credential !== undefined && { 'x-lotse-gateway': credential }) };
      const bodies = [QUESTION, '{"query":"{ _service { sdl } }"}', ...guides.map(ENTITIES)];
      for (const body of bodies) tries.push(http(`${code} /federation, credential ${index}`, `${url}/federation`, headers, body));
      tries.push(http(`${code} /federation without a viewer, credential ${index}`, `${url}/federation`, credential === undefined ? {} : { 'x-lotse-gateway': credential }, '{"query":"{ _service { sdl } }"}'));
      tries.push(socket(`${code} /federation by WebSocket, credential ${index}`, `${url}/federation`, { gateway: credential ?? '', ...bearer }));
    }
    const calls: [string, string][] = [
      ['/partner/v1/link/end', '{}'],
      ['/partner/v1/couplings/request', '{}'],
      ['/operator/v1/links/list', '{}'],
      ['/operator/v1/links/end', '{"partner":"alpha"}'],
      ['/operator/v1/accounts/invite', '{"email":"m@example.org","displayName":"M","roles":["ADMINISTRATOR"]}'],
    ];
    if (call) calls.push([call.path, call.body], [call.path, '{}'], ['/partner/v1/couplings/end', call.body], [call.path.replace('/partner/', '/operator/'), call.body]);
    for (const [path, body] of calls) tries.push(http(`${code} ${path}`, `${url}${path}`, bearer, body));
  }
  return Promise.all(tries);
}
