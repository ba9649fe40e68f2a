import { Cleanup } from '../../testkit/cleanup.js';
import { client, login } from '../../testkit/client.js';
import { createInstance, startInstanceHere, startInstanceProcess } from '../../testkit/instance.js';
import { PASSWORD, Records } from '../../testkit/records.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

const ME = '{ me { id role instance { code name } } }';

test('a server in this process and one of its own process serve the same instance, and accept each other’s tokens', async () => {
  const instance = cleanup.own(await createInstance({ code: 'kit', name: 'Kit House' }), (made) => made.drop());
  const records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const here = cleanup.own(await startInstanceHere(instance), (server) => server.stop());
  const there = cleanup.own(await startInstanceProcess(instance), (server) => server.stop());
  const staff = await records.account(['STAFF']);
  const { token } = await records.signIn(staff);
  const session = await login(there.url, staff.email, PASSWORD);
  const expected = { me: { id: staff.id, role: 'STAFF', instance: { code: 'kit', name: 'Kit House' } } };
  for (const url of [here.url, there.url]) {
    for (const bearer of [token, session.accessToken]) {
      const { data, errors } = await client(url).query(ME, {}, bearer);
      expect({ data, errors }).toEqual({ data: expected, errors: undefined });
    }
  }
});

test('what is planted at the same time is planted one after the other: nobody’s failure undoes another’s, and the driver has nothing to warn of', async () => {
  const instance = cleanup.own(await createInstance({ code: 'planted' }), (made) => made.drop());
  const records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const id = await records.guide();
  const warnings: string[] = [];
  const heard = (warning: Error) => void warnings.push(warning.message);
  process.on('warning', heard);
  const planted = await Promise.allSettled([records.guide(), records.seed.guide({ id, firstName: 'A', lastName: 'second' }), records.guide(), records.query('select pg_sleep(0.01)')]);
  expect(planted.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(await records.query('select count(*)::int as count from guide')).toEqual([{ count: 3 }]);
  await new Promise((resolve) => void setImmediate(resolve));
  process.off('warning', heard);
  expect(warnings).toEqual([]);
});
