import { jest } from '@jest/globals';
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { query, testFolder } from './fixtures/run-parent.js';

test('a port that somebody takes between our look and the server is replaced', async () => {
  const ports = await import('../../../scripts/processes/ports.js');
  const thief = createServer();
  thief.listen(0, '127.0.0.1');
  await once(thief, 'listening');
  const stolen = (thief.address() as { port: number }).port;
  const asked: (number | undefined)[] = [];
  jest.unstable_mockModule('../../../scripts/processes/ports.js', () => ({
    ...ports,
    portOrFree: (wanted?: number) => {
      asked.push(wanted);
      return asked.length === 1 ? Promise.resolve(stolen) : ports.portOrFree(wanted);
    },
  }));
  const { startEmbeddedPostgres } = await import('../../../scripts/postgres/embedded.js');
  const { folder, clean } = await testFolder();
  await chmod(folder, 0o711);
  try {
    const server = await startEmbeddedPostgres({ dataDirectory: join(folder, 'data'), port: stolen, durable: false, temporary: true });
    expect(asked).toEqual([stolen, 0]);
    expect(await query(server.adminUrl, `SELECT current_setting('port')::int AS port`)).toEqual([{ port: server.port }]);
    expect(server.port).not.toBe(stolen);
    await server.stop('immediate');
  } finally {
    thief.close();
    await clean();
  }
});
