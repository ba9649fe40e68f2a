import type { Tx } from './database/database.js';

/** How far ahead of the own clock a stamp of another instance may lie. Source: DOMAIN §2 "Convergence". */
export const MAX_AHEAD_MS = 60_000;

/**
 * A hybrid logical clock's value as text: milliseconds, counter and the code of the instance that gave it, so that texts compare
 * (byte by byte) as the stamps do, and no two instances give the same.
 */
export interface Stamp {
  milliseconds: number;
  counter: number;
  code: string;
}

const PATTERN = /^(\d{15})-(\d{8})-([a-z][a-z0-9-]{0,31})$/;

export const formatStamp = ({ milliseconds, counter, code }: Stamp): string =>
  `${String(milliseconds).padStart(15, '0')}-${String(counter).padStart(8, '0')}-${code}`;

/** Undefined for what is no stamp. */
export function parseStamp(text: string): Stamp | undefined {
  const match = PATTERN.exec(text);
  return match ? { milliseconds: Number(match[1]), counter: Number(match[2]), code: match[3] ?? '' } : undefined;
}

/** By code units, as the stamps' order wants it and `collate "C"` does it in SQL; never by locale. */
export const isLater = (one: string, other: string): boolean => one > other;

/** Not accepted yet: its giver's clock is too far ahead of ours. */
export const isTooFarAhead = (stamp: string, now: Date): boolean => (parseStamp(stamp)?.milliseconds ?? 0) > now.getTime() + MAX_AHEAD_MS;

/** As late as others take a stamp of this instance now: nothing they hold of it is later. */
export const latestAcceptable = (now: Date, code: string): string => formatStamp({ milliseconds: now.getTime() + MAX_AHEAD_MS, counter: 0, code });

/** The next stamp after the greatest known one. A clock that went back is outrun by the counter. */
export function nextAfter(last: string, now: Date, code: string): string {
  const known = parseStamp(last);
  const milliseconds = now.getTime();
  if (!known || milliseconds > known.milliseconds) return formatStamp({ milliseconds, counter: 0, code });
  return formatStamp({ milliseconds: known.milliseconds, counter: known.counter + 1, code });
}

/**
 * Gives the stamps by which profile fields and rules are ordered over all houses: later than everything given or seen here, and close
 * to the wall clock. The row is locked until the transaction ends, so that stamps commit in their order.
 */
export class Stamps {
  constructor(private readonly code: string) {}

  async next(tx: Tx, now: Date): Promise<string> {
    const stamp = nextAfter(await this.#last(tx), now, this.code);
    await this.#keep(tx, stamp);
    return stamp;
  }

  /**
   * Remembers a received stamp, so that what is given here afterwards is later. The own clock is never moved further ahead than
   * MAX_AHEAD_MS: callers refuse such stamps before.
   */
  async observe(tx: Tx, stamp: string): Promise<void> {
    if (isLater(stamp, await this.#last(tx))) await this.#keep(tx, stamp);
  }

  /**
   * After the own clock was far ahead and has been set right: the next stamps are as close to the clock as they can be while they are
   * later than every one that others may have taken: by their clocks, or as they say (`taken`). Those that nobody took must be replaced in
   * the same transaction.
   */
  async takeBack(tx: Tx, now: Date, taken = ''): Promise<void> {
    await this.#last(tx);
    const acceptable = latestAcceptable(now, this.code);
    await this.#keep(tx, isLater(taken, acceptable) ? taken : acceptable);
  }

  async #last(tx: Tx): Promise<string> {
    const row = await tx.selectFrom('sync_state').select('last_stamp').where('id', '=', 1).forUpdate().executeTakeFirstOrThrow();
    return row.last_stamp;
  }

  async #keep(tx: Tx, stamp: string): Promise<void> {
    await tx.updateTable('sync_state').set({ last_stamp: stamp }).where('id', '=', 1).execute();
  }
}
