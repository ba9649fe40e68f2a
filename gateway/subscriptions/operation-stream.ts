import type { ExecutionResult } from 'graphql';

/**
 * Events of one upstream operation as the async generator graphql-ws reads from. The reader never waits for the
 * network (see ClientConnection.send), so the queue holds at most what one read from the instance's socket brings.
 */
export class OperationStream implements AsyncGenerator<ExecutionResult, undefined, undefined> {
  readonly #onEnd: () => void;
  #queue: ExecutionResult[] = [];
  #reader: PromiseWithResolvers<IteratorResult<ExecutionResult, undefined>> | undefined;
  #ended = false;
  #failure: Error | undefined;

  /** `onEnd` is called exactly once, whoever ends the stream and however. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(result: ExecutionResult): void {
    if (this.#ended) return;
    if (this.#reader === undefined) {
      this.#queue.push(result);
      return;
    }
    this.#reader.resolve({ done: false, value: result });
    this.#reader = undefined;
  }

  /** The reader still gets what is queued, then the end, or the error when there is one. */
  finish(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    if (this.#reader !== undefined) this.#settle(this.#reader);
    this.#reader = undefined;
    this.#onEnd();
  }

  next(): Promise<IteratorResult<ExecutionResult, undefined>> {
    const value = this.#queue.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    const reader = Promise.withResolvers<IteratorResult<ExecutionResult, undefined>>();
    if (this.#ended) this.#settle(reader);
    else this.#reader = reader;
    return reader.promise;
  }

  /** The reader has no more interest: what is queued is dropped. */
  return(): Promise<IteratorResult<ExecutionResult, undefined>> {
    this.#queue = [];
    this.finish();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(): Promise<IteratorResult<ExecutionResult, undefined>> {
    return this.return();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #settle(reader: PromiseWithResolvers<IteratorResult<ExecutionResult, undefined>>): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) reader.resolve({ done: true, value: undefined });
    else reader.reject(failure);
  }
}
