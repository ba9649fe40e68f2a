import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  TimeoutStrategy,
  circuitBreaker,
  handleWhen,
  timeout,
  type CircuitBreakerPolicy,
  type TimeoutPolicy,
} from 'cockatiel';
import type { Logger } from 'pino';
import { Pool } from 'undici';
import type { GatewayConfig } from '../config.js';
import type { BreakerState, Metrics } from '../metrics.js';
import type { Directory, GatewayCredential, RegisteredInstance } from '../types.js';
import { UpstreamFailure, ask, type HttpAnswer } from './http.js';
import { steadyDelay } from './steady-delay.js';

export { UpstreamFailure } from './http.js';

/** A GraphQL answer as it came. `data` and `errors` are unchecked. */
export interface UpstreamAnswer {
  readonly data?: unknown;
  readonly errors?: unknown;
}

export interface UpstreamCaller {
  /** The access token or grant this instance may see, without `Bearer`. */
  readonly token: string | undefined;
  /** For the home's rate limits; `undefined` towards partners, whom it does not concern. */
  readonly clientAddress: string | undefined;
  readonly requestId: string;
}

interface Connection {
  readonly endpoint: string;
  readonly path: string;
  readonly pool: Pool;
  readonly breaker: CircuitBreakerPolicy;
  readonly time: TimeoutPolicy;
  readonly observe: (outcome: string, milliseconds: number) => void;
}

const maxWellKnownBytes = 64 * 1_024;

/**
 * Responsible for: one question to one instance, bounded in time and bytes, with a pool and a circuit breaker
 * of its own for each instance, so that none is slowed by another. Talks to: the instances' `/federation`.
 */
export class Upstream {
  private readonly connections = new Map<string, Connection>();
  private readonly unsubscribe: () => void;

  constructor(
    private readonly config: GatewayConfig['upstream'],
    directory: Directory,
    private readonly credential: GatewayCredential,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {
    this.unsubscribe = directory.onChange(() => this.dropLeft(directory));
  }

  /** Rejects with UpstreamFailure only. The body is the JSON of the GraphQL request. */
  async send(instance: RegisteredInstance, body: string, caller: UpstreamCaller): Promise<UpstreamAnswer> {
    const connection = this.connection(instance);
    const started = performance.now();
    try {
      const answer = await this.guarded(connection, instance.code, body, caller);
      connection.observe('ok', performance.now() - started);
      return answer;
    } catch (error) {
      const failure = failureOf(error);
      connection.observe(failure.reason.toLowerCase(), performance.now() - started);
      throw failure;
    }
  }

  async close(): Promise<void> {
    this.unsubscribe();
    await Promise.all([...this.connections.values()].map((connection) => connection.pool.destroy()));
    this.connections.clear();
  }

  private guarded(connection: Connection, code: string, body: string, caller: UpstreamCaller): Promise<UpstreamAnswer> {
    const { breaker, time } = connection;
    // While one request tries whether the instance is back, cockatiel lets the others wait for it; ours do not.
    if (breaker.state === CircuitState.HalfOpen) return Promise.reject(new UpstreamFailure('CIRCUIT_OPEN', false));
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json',
      'x-lotse-gateway': this.credential(code),
      'x-request-id': caller.requestId,
    };
    if (caller.clientAddress !== undefined) headers['x-lotse-client-address'] = caller.clientAddress;
    if (caller.token !== undefined) headers['authorization'] = `Bearer ${caller.token}`;
    return breaker.execute(() =>
      time.execute(async ({ signal }) =>
        readAnswer(
          await ask(connection.pool, {
            path: connection.path,
            method: 'POST',
            headers,
            body,
            maxBytes: this.config.maxBytes,
            signal,
          }),
        ),
      ),
    );
  }

  private connection(instance: RegisteredInstance): Connection {
    const existing = this.connections.get(instance.code);
    if (existing !== undefined && existing.endpoint === instance.endpoint) return existing;
    if (existing !== undefined) void existing.pool.close();
    const connection = this.connect(instance);
    this.connections.set(instance.code, connection);
    return connection;
  }

  private connect({ code, endpoint }: RegisteredInstance): Connection {
    const { origin, pathname } = new URL(endpoint);
    const breaker = circuitBreaker(
      handleWhen((error) => error instanceof UpstreamFailure && error.counts),
      { halfOpenAfter: steadyDelay(this.config.breakerHalfOpenMs), breaker: new ConsecutiveBreaker(this.config.breakerFailures) },
    );
    breaker.onStateChange((state) => {
      const name = breakerState(state);
      this.metrics.breaker(code, name);
      this.logger.warn({ instance: code, breaker: name }, 'The circuit breaker of an instance has changed.');
    });
    this.metrics.breaker(code, 'closed');
    return {
      endpoint,
      path: `${pathname.replace(/\/$/u, '')}/federation`,
      pool: new Pool(origin, {
        connections: this.config.connections,
        connect: { timeout: this.config.timeoutMs },
        // The time limit of the request ends it earlier; these only keep a socket from being held for ever.
        headersTimeout: this.config.timeoutMs * 2,
        bodyTimeout: this.config.timeoutMs * 2,
      }),
      breaker,
      time: timeout(this.config.timeoutMs, { strategy: TimeoutStrategy.Cooperative, abortOnReturn: false }),
      observe: this.metrics.upstreamTimer(code),
    };
  }

  private dropLeft(directory: Directory): void {
    for (const [code, connection] of this.connections) {
      if (directory.get(code)?.endpoint === connection.endpoint) continue;
      this.connections.delete(code);
      this.metrics.forget(code);
      void connection.pool.close();
    }
  }
}

/** Reads a public document outside of the breaker: the directory asks at its own pace. */
export async function fetchWellKnown(endpoint: string, timeoutMs: number): Promise<string> {
  const { origin, pathname } = new URL(endpoint);
  const pool = new Pool(origin, { connections: 1, connect: { timeout: timeoutMs } });
  try {
    const answer = await ask(pool, {
      path: `${pathname.replace(/\/$/u, '')}/.well-known/lotse.json`,
      method: 'GET',
      headers: { accept: 'application/json' },
      maxBytes: maxWellKnownBytes,
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (answer.status !== 200) throw new UpstreamFailure('FAILED', true);
    return answer.body;
  } finally {
    await pool.destroy();
  }
}

/** An instance that answers GraphQL is alive whatever the status: its refusals must not open the breaker for everybody. */
function readAnswer({ status, body }: HttpAnswer): UpstreamAnswer {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new UpstreamFailure(status === 200 ? 'MALFORMED' : 'FAILED', true);
  }
  if (typeof value !== 'object' || value === null || !('data' in value || 'errors' in value)) {
    throw new UpstreamFailure(status === 200 ? 'MALFORMED' : 'FAILED', true);
  }
  return value;
}

function failureOf(error: unknown): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  if (error instanceof BrokenCircuitError) return new UpstreamFailure('CIRCUIT_OPEN', false);
  return new UpstreamFailure('FAILED', true);
}

function breakerState(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return 'closed';
  return state === CircuitState.HalfOpen ? 'half_open' : 'open';
}
