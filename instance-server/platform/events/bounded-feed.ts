/**
 * An async iterator that holds at most `limit` items. When a reader falls further behind, everything waiting is dropped and
 * replaced by the one item `overflow` gives, which must tell the reader to start over.
 */
export class BoundedFeed<T> implements AsyncIterableIterator<T> {
  #items: T[] = [];
  #waiting: ((result: IteratorResult<T>) => void) | undefined;
  #done = false;

  constructor(
    private readonly limit: number,
    private readonly overflow: () => T,
    private readonly onEnd: () => void,
  ) {}

  push(item: T): void {
    if (this.#done) return;
    if (this.#waiting) {
      const deliver = this.#waiting;
      this.#waiting = undefined;
      deliver({ value: item, done: false });
      return;
    }
    if (this.#items.length >= this.limit) this.#items = [this.overflow()];
    else this.#items.push(item);
  }

  /** Drops what waits. */
  clear(): void {
    this.#items = [];
  }

  next(): Promise<IteratorResult<T>> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve({ value: item, done: false });
    if (this.#done) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<T>> {
    if (!this.#done) {
      this.#done = true;
      this.#items = [];
      this.onEnd();
      this.#waiting?.({ value: undefined, done: true });
      this.#waiting = undefined;
    }
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Reads each item when the reader is ready for it; undefined is nothing to tell. A fault of one reading becomes `startOver` rather than a
 * hole, and who starts over loads what waits as well.
 */
export function resolved<T>(feed: BoundedFeed<() => Promise<T | undefined>>, startOver: T): AsyncIterableIterator<T> {
  return {
    async next() {
      for (;;) {
        const { value, done } = await feed.next();
        if (done) return { value: undefined, done: true };
        const item = await value().catch(() => startOver);
        if (item === startOver) feed.clear();
        if (item !== undefined) return { value: item, done: false };
      }
    },
    async return() {
      await feed.return();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
