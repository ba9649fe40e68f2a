import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type KnownLink, PartnerClient } from '../../../instance-server/modules/links/index.js';
import { generateKeyPair, privateKeyFromPem } from '../../../instance-server/platform/keys.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { TestClock } from '../../testkit/clock.js';

/* A partner that does not answer is left alone for a while; not longer than it takes him to give a sign of life. */

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const HUNG_UP = 'other side closed';
const LEFT_ALONE = 'circuit breaker is open';

/** A partner that hangs up on every call until it is told to answer. */
async function partner(): Promise<{ link: KnownLink; client: PartnerClient; calls: string[]; answers: { on: boolean } }> {
  const [calls, answers]: [string[], { on: boolean }] = [[], { on: false }];
  const server: Server = createServer((request, response) => {
    calls.push(request.url ?? '');
    if (answers.on) response.setHeader('content-type', 'application/json').end('{"ok":true}');
    else request.socket.destroy();
  });
  cleanup.own(server, (opened) => new Promise((resolve) => void opened.close(resolve)));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { kid, privatePem } = generateKeyPair();
  const link: KnownLink = {
    id: 'l', partnerCode: 'beta', partnerName: 'Beta', partnerUrl: 'https://beta.example', partnerEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    state: 'ACTIVE', isOpen: true, ownKey: { kid, privateKey: privateKeyFromPem(privatePem) }, partnerKeys: new Map(),
  };
  const client = cleanup.own(new PartnerClient(new TestClock(), 'alpha'), (opened) => opened.close());
  return { link, client, calls, answers };
}

test.each([
  ['in the background', '/partner/v1/sync/deliver'],
  ['that people wait for', '/partner/v1/couplings/end'],
])('after five calls %s in vain none is made, until the partner is known to be there again', async (_what, path) => {
  const { link, client, calls, answers } = await partner();
  for (let call = 0; call < 5; call += 1) await expect(client.call(link, path, {})).rejects.toThrow(HUNG_UP);
  answers.on = true;
  await expect(client.call(link, path, {})).rejects.toThrow(LEFT_ALONE);
  expect(calls).toHaveLength(5);
  client.forget(link);
  expect(await client.call(link, path, {})).toEqual({ ok: true });
  expect(calls).toHaveLength(6);
});

test('what fails in the background does not keep anybody from asking', async () => {
  const { link, client, answers } = await partner();
  for (let call = 0; call < 5; call += 1) await expect(client.call(link, '/partner/v1/sync/heartbeat', {})).rejects.toThrow(HUNG_UP);
  answers.on = true;
  await expect(client.call(link, '/partner/v1/sync/heartbeat', {})).rejects.toThrow(LEFT_ALONE);
  expect(await client.call(link, '/partner/v1/couplings/end', {})).toEqual({ ok: true });
});
