import { writeFileSync } from 'node:fs';
import { accessToken, testKey } from './support/keys.js';
import type { FakeInstance } from './support/fake-instance.js';
import { TestFederation, type TestGateway } from './support/test-gateway.js';

const instances = { query: '{ instances { code name } }' };
const me = { query: '{ me { role } }' };

describe('the registry', () => {
  let federation: TestFederation;
  let ahof: FakeInstance;
  let burg: FakeInstance;

  beforeEach(async () => {
    federation = new TestFederation();
    [ahof, burg] = (await federation.linkedInstances('ahof', 'burg')) as [FakeInstance, FakeInstance];
  });

  afterEach(() => federation.close());

  const codes = async (gateway: TestGateway) =>
    ((await gateway.ask(instances)).data as { instances: { code: string }[] }).instances.map(({ code }) => code);

  test('is followed without a restart: an instance comes and goes', async () => {
    federation.writeRegistry(['ahof']);
    const gateway = await federation.gateway({ REGISTRY_FILE: federation.registryFile });
    const token = burg.token(undefined, { role: 'STAFF' });
    expect((await gateway.ask(me, token)).errors?.[0]?.extensions['reason']).toBe('ISSUER_UNKNOWN');

    federation.writeRegistry(['ahof', 'burg']);
    await until(async () => (await codes(gateway)).length === 2);
    expect((await gateway.ask(me, token)).data).toEqual({ me: { role: 'STAFF' } });

    // The remembered signature must not outlive the registration.
    federation.writeRegistry(['ahof']);
    await until(async () => (await codes(gateway)).length === 1);
    expect((await gateway.ask(me, token)).errors?.[0]?.extensions['reason']).toBe('ISSUER_UNKNOWN');
  });

  test.each([
    ['is not JSON', '{'],
    ['has no addresses', '{"instances":[{"code":"ahof"}]}'],
    ['names an instance twice', JSON.stringify({ instances: [1, 2].map(() => ({ code: 'ahof', endpoint: 'http://127.0.0.1:9' })) })],
  ])('that %s is not taken: the old one stays and the reason is logged', async (_name, text) => {
    const gateway = await federation.gateway();
    writeFileSync(federation.registryFile, text);
    await until(() => federation.log.some((line) => line.includes('The registry was not reloaded')));
    expect(await codes(gateway)).toEqual(['ahof', 'burg']);
  });

  test('an instance that does not answer keeps its name and keys', async () => {
    const gateway = await federation.gateway({ DIRECTORY_POLL_MS: '100' });
    await ahof.stop();
    await until(() => federation.log.some((line) => line.includes('The instance did not answer')));
    expect((await gateway.ask(instances)).data).toEqual({
      instances: [
        { code: 'ahof', name: 'Museum ahof' },
        { code: 'burg', name: 'Museum burg' },
      ],
    });
    const { errors } = await gateway.ask(me, ahof.token(undefined));
    expect(errors?.[0]?.extensions).toEqual({ code: 'INSTANCE_UNAVAILABLE', instance: 'ahof', reason: 'UNREACHABLE' });
  });

  test('the gateway starts while an instance is down, and knows it soon after it has come up', async () => {
    const { url } = burg;
    await burg.stop();
    const gateway = await federation.gateway({ REGISTRY: JSON.stringify({ instances: [{ code: 'burg', endpoint: url, name: 'The Castle' }] }) });
    expect((await gateway.ask(instances)).data).toEqual({ instances: [{ code: 'burg', name: 'The Castle' }] });
    await burg.start();
    const names = async () => JSON.stringify((await gateway.ask(instances)).data);
    await until(async () => (await names()) === '{"instances":[{"code":"burg","name":"Museum burg"}]}');
  });

  test('a new key is fetched when a token names it, not more often than the cool-down allows', async () => {
    const gateway = await federation.gateway({ DIRECTORY_COOL_DOWN_MS: '600000', REGISTRY: registryOf(ahof) });
    const asked = ahof.wellKnownRequests;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect((await gateway.ask(me, accessToken('ahof', testKey()))).errors?.[0]?.extensions['reason']).toBe('TOKEN_INVALID');
    }
    expect(ahof.wellKnownRequests).toBe(asked);

    const eager = await federation.gateway({ DIRECTORY_COOL_DOWN_MS: '0', REGISTRY: registryOf(ahof) });
    const rotated = testKey();
    ahof.wellKnown = () => ({ ...ahof.publicDocument(), jwks: { keys: [rotated.publicJwk] } });
    const answer = await eager.ask(me, accessToken('ahof', rotated, { role: 'STAFF' }));
    // The fake still signs with its old key, so it refuses what the gateway has let through.
    expect(answer.errors?.[0]?.extensions['reason']).toBe('TOKEN_REVOKED');
    expect((await eager.ask(me, ahof.token(undefined))).errors?.[0]?.extensions['reason']).toBe('TOKEN_INVALID');
  });

  test('pinned keys are the only ones', async () => {
    const pinned = testKey();
    const registry = { instances: [{ code: 'ahof', endpoint: ahof.url, keys: { keys: [pinned.publicJwk] } }] };
    const gateway = await federation.gateway({ REGISTRY: JSON.stringify(registry), DIRECTORY_COOL_DOWN_MS: '0' });
    const asked = ahof.wellKnownRequests;
    expect((await gateway.ask(me, ahof.token(undefined))).errors?.[0]?.extensions['reason']).toBe('TOKEN_INVALID');
    // Nothing the instance says could change that, so it is not asked.
    expect(ahof.wellKnownRequests).toBe(asked);
    expect((await gateway.ask(me, accessToken('ahof', pinned))).errors?.[0]?.extensions['reason']).toBe('TOKEN_REVOKED');
  });

  test.each<[string, unknown]>([
    ['another code', { code: 'burg' }],
    ['another protocol', { protocol: 2 }],
    ['an endless name', { name: 'x'.repeat(201) }],
    ['an address that runs a script', { url: 'javascript:alert(1)' }],
    ['more than the bound', { name: 'x'.repeat(70_000) }],
  ])('an instance that describes itself with %s is not believed', async (_name, lie) => {
    ahof.wellKnown = () => ({ ...ahof.publicDocument(), ...(lie as object) });
    const gateway = await federation.gateway({ REGISTRY: registryOf(ahof) });
    expect((await gateway.ask(instances)).data).toEqual({ instances: [{ code: 'ahof', name: 'ahof' }] });
    expect((await gateway.ask(me, ahof.token(undefined))).errors?.[0]?.extensions['reason']).toBe('TOKEN_INVALID');
  });
});

function registryOf(...listed: readonly FakeInstance[]): string {
  return JSON.stringify({ instances: listed.map(({ code, url }) => ({ code, endpoint: url })) });
}

/** Asks again until it holds; what is awaited takes the time. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('It did not come true in time.');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
