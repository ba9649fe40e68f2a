/*
 * Runs before a server in its own process (`--import`) and shifts what that process takes for the present time by the milliseconds that
 * stand in the file CLOCK_FILE names. Timers and durations stay right, as with a machine whose clock is wrong. For fault tests alone.
 */
import { readFileSync } from 'node:fs';

const POLL_MS = 40;
const file = process.env['CLOCK_FILE'];

if (file !== undefined) {
  const RealDate = Date;
  let offset = 0;
  const read = (): void => {
    try {
      offset = Number(readFileSync(file, 'utf8').trim()) || 0;
    } catch {
      // Not written yet, or being replaced: the last one counts.
    }
  };
  read();
  setInterval(read, POLL_MS).unref();
  const now = (): number => RealDate.now() + offset;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given, asked) => Reflect.construct(target, given.length === 0 ? [now()] : given, asked) as Date,
    apply: () => new RealDate(now()).toString(),
    get: (target, name, receiver) => (name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown)),
  });
}
