import { setTimeout as pause } from 'node:timers/promises';

/** Asks again, every few milliseconds, until the answer is truthy. @throws after `timeoutMs` */
export async function until<T>(ask: () => Promise<T>, timeoutMs = 10_000): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer as NonNullable<Exclude<T, false>>;
    if (performance.now() > end) throw new Error('it did not come about in time');
    await pause(20);
  }
}
