import { jest } from '@jest/globals';
import { BrokenCircuitError, circuitBreaker, ConsecutiveBreaker, handleAll } from 'cockatiel';
import { steadyDelay as atGateway } from '../../gateway/upstream/steady-delay.js';
import { steadyDelay as atInstance } from '../../instance-server/platform/steady-delay.js';

const HOUR_MS = 3_600_000;

afterEach(() => jest.useRealTimers());

// Two programs that share no code, one behaviour.
describe.each([
  ['gateway', atGateway],
  ['instance', atInstance],
])('a circuit breaker of the %s', (_name, steadyDelay) => {
  const fails = () => Promise.reject(new Error('down'));
  const works = () => Promise.resolve('up');

  test('opens again after its time although the clock was set back meanwhile', async () => {
    jest.useFakeTimers({ now: 10 * HOUR_MS });
    const breaker = circuitBreaker(handleAll, { halfOpenAfter: steadyDelay(5_000), breaker: new ConsecutiveBreaker(1) });
    await expect(breaker.execute(fails)).rejects.toThrow('down');
    jest.setSystemTime(9 * HOUR_MS);
    jest.advanceTimersByTime(4_999);
    await expect(breaker.execute(works)).rejects.toBeInstanceOf(BrokenCircuitError);
    jest.advanceTimersByTime(1);
    await expect(breaker.execute(works)).resolves.toBe('up');
  });

  test('waits as long each time', async () => {
    jest.useFakeTimers();
    const breaker = circuitBreaker(handleAll, { halfOpenAfter: steadyDelay(5_000), breaker: new ConsecutiveBreaker(1) });
    await expect(breaker.execute(fails)).rejects.toThrow('down');
    jest.advanceTimersByTime(5_000);
    await expect(breaker.execute(fails)).rejects.toThrow('down');
    // A clock that is set ahead does not shorten it either.
    jest.setSystemTime(Date.now() + HOUR_MS);
    jest.advanceTimersByTime(4_999);
    await expect(breaker.execute(works)).rejects.toBeInstanceOf(BrokenCircuitError);
    jest.advanceTimersByTime(1);
    await expect(breaker.execute(works)).resolves.toBe('up');
  });
});
