import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processGone } from '../../../scripts/postgres/previous-server.js';
import { portOrFree } from '../../../scripts/processes/ports.js';
import { type SpawnedNode, spawnNode, type SpawnNodeOptions } from '../../../scripts/processes/spawn.js';
import { repository } from './fixtures/run-parent.js';

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const started: SpawnedNode[] = [];

afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill('SIGKILL');
    await child.exited;
  }
});

async function start(behaviour: string, options: Partial<SpawnNodeOptions> = {}): Promise<SpawnedNode> {
  const child = await spawnNode(join(fixtures, 'child.mjs'), {
    name: 'the child',
    env: { BEHAVIOUR: behaviour },
    readyTimeoutMs: 30_000,
    ...options,
  });
  started.push(child);
  return child;
}

describe('spawnNode', () => {
  test('resolves with where the child is reached, gives it its own environment and collects its output', async () => {
    const lines: string[] = [];
    const child = await start('polite', { onLine: (line) => lines.push(line) });
    expect(child.ready.url).toBe(`http://127.0.0.1:${child.ready.port}`);
    expect(await (await fetch(child.ready.url)).text()).toBe('here');
    expect(child.child.spawnargs).toEqual([process.execPath, '--enable-source-maps', join(fixtures, 'child.mjs')]);
    expect(await child.stop(30_000)).toEqual({ code: 0, signal: null });
    expect(lines).toEqual(['started with BEHAVIOUR', 'last words']);
    expect(child.output()).toBe('started with BEHAVIOUR\nlast words');
    expect(await child.stop(30_000)).toEqual({ code: 0, signal: null });
  });

  test('a child that does not stop in time is killed', async () => {
    const child = await start('stubborn');
    expect(await child.stop(1_000)).toEqual({ code: null, signal: 'SIGKILL' });
    expect(child.output()).toBe('started with BEHAVIOUR\nnot yet');
  });

  test('a child that was killed by somebody else is reported', async () => {
    const child = await start('polite');
    child.kill('SIGKILL');
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('rejects with the last output of a child that ends before it is ready', async () => {
    await expect(start('fails')).rejects.toThrow(
      'the child ended before it was ready (code 3):\nstarted with BEHAVIOUR\nthe configuration is wrong',
    );
  });

  test('rejects when the child is not ready in time, and ends it', async () => {
    const lines: string[] = [];
    await expect(start('silent', { readyTimeoutMs: 1_500, onLine: (line) => lines.push(line) })).rejects.toThrow(
      'the child was not ready after 1500 ms:\nstarted with BEHAVIOUR\nlistens on http://127.0.0.1:',
    );
    await expect(fetch(lines[1]?.replace('listens on ', '') ?? '')).rejects.toThrow('fetch failed');
  });

  test('rejects when there is no such program', async () => {
    await expect(spawnNode(join(fixtures, 'missing.mjs'), { name: 'nobody', env: {}, readyTimeoutMs: 30_000 })).rejects.toThrow(
      /^nobody ended before it was ready \(code 1\):[^]*Cannot find module/,
    );
  });

  test.each([
    ['is killed, a child that heeds its duty', 'polite', 'SIGKILL'],
    ['ends without stopping it, even a stubborn child', 'stubborn', 'exit'],
  ] as const)('when the parent %s ends too', async (_, behaviour, end) => {
    const parent = spawn(
      process.execPath,
      [
        '--import',
        join(repository, 'tests/testkit/typescript-sources.ts'),
        join(fixtures, 'child-parent.ts'),
        join(fixtures, 'child.mjs'),
        behaviour,
      ],
      { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
    );
    const [{ pid, url }] = (await once(parent, 'message')) as [{ pid: number; url: string }];
    expect(await (await fetch(url)).text()).toBe('here');
    if (end === 'exit') parent.send('exit');
    else parent.kill(end);
    await once(parent, 'exit');
    await processGone(pid);
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });
});

describe('portOrFree', () => {
  test('keeps a port that is free, and replaces one that is taken', async () => {
    const holder = createServer();
    holder.listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const replacement = await portOrFree(port);
    expect(replacement).not.toBe(port);
    holder.close();
    await once(holder, 'close');
    expect(await portOrFree(port)).toBe(port);
  });

  test('gives any port when none is wanted', async () => {
    const holder = createServer();
    holder.listen(await portOrFree(), '127.0.0.1');
    await once(holder, 'listening');
    holder.close();
  });
});
