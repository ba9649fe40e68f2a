/** What has happened so far, in order; tests wait for what they expect instead of sleeping. */
export class Log<Item> {
  readonly items: Item[] = [];
  #waiting: (() => void)[] = [];

  add(item: Item): void {
    this.items.push(item);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const check of waiting) check();
  }

  /** The first item that fits, past or to come; the test's own time limit ends the wait. */
  async first(fits: (item: Item) => boolean): Promise<Item> {
    for (;;) {
      const found = this.items.find(fits);
      if (found !== undefined) return found;
      await this.#change();
    }
  }

  /** All items that fit, once there are this many. */
  async atLeast(count: number, fits: (item: Item) => boolean = () => true): Promise<readonly Item[]> {
    for (;;) {
      const found = this.items.filter(fits);
      if (found.length >= count) return found;
      await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
