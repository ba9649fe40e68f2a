import { Pool, errors, type Dispatcher } from 'undici';
import type { UnavailableReason } from '../errors.js';

/** An instance's part is missing. `counts` tells the circuit breaker whether the instance is to blame. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  constructor(
    readonly reason: UnavailableReason,
    readonly counts: boolean,
  ) {
    super(reason);
  }
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface HttpQuestion {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Record<string, string>;
  readonly body?: string;
  /** Answers beyond this are cut off and fail as TOO_LARGE. */
  readonly maxBytes: number;
  /** Aborting it ends the request as TIMEOUT. */
  readonly signal?: AbortSignal;
}

/**
 * Asks over a pool of kept-alive connections. Uses undici's dispatch, which hands out chunks without a stream
 * in between: the limit is checked before anything is kept, and nothing is decompressed or redirected.
 * Rejects with UpstreamFailure only.
 */
export function ask(pool: Pool, question: HttpQuestion): Promise<HttpAnswer> {
  return new Promise<HttpAnswer>((resolve, reject) => {
    const handler = new CollectingHandler(question.maxBytes, resolve, reject);
    const { signal } = question;
    if (signal !== undefined) {
      if (signal.aborted) {
        reject(new UpstreamFailure('TIMEOUT', true));
        return;
      }
      signal.addEventListener('abort', () => handler.timeOut(), { once: true });
    }
    pool.dispatch(
      { path: question.path, method: question.method, headers: question.headers, body: question.body ?? null },
      handler,
    );
  });
}

class CollectingHandler implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private bytes = 0;
  private readonly chunks: Buffer[] = [];
  private failure: UpstreamFailure | undefined;

  constructor(
    private readonly maxBytes: number,
    private readonly resolve: (answer: HttpAnswer) => void,
    private readonly reject: (failure: UpstreamFailure) => void,
  ) {}

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // The time may have run out while the request waited for a connection.
    if (this.failure !== undefined) controller.abort(this.failure);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number): void {
    this.status = statusCode;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.byteLength;
    if (this.bytes > this.maxBytes) {
      this.fail(new UpstreamFailure('TOO_LARGE', false));
      controller.abort(this.failure ?? new UpstreamFailure('TOO_LARGE', false));
      return;
    }
    this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.failure !== undefined) return;
    const [first] = this.chunks;
    const body = this.chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.chunks);
    this.resolve({ status: this.status, body: body.toString('utf8') });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(new UpstreamFailure(reasonOf(error), true));
  }

  timeOut(): void {
    if (this.failure !== undefined) return;
    this.fail(new UpstreamFailure('TIMEOUT', true));
    if (this.controller !== undefined && this.failure !== undefined) this.controller.abort(this.failure);
  }

  private fail(failure: UpstreamFailure): void {
    if (this.failure !== undefined) return;
    this.failure = failure;
    this.chunks.length = 0;
    this.reject(failure);
  }
}

function reasonOf(error: Error): UnavailableReason {
  return error instanceof errors.ConnectTimeoutError ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
    ? 'TIMEOUT'
    : 'UNREACHABLE';
}
