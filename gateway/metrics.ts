import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export type BreakerState = 'closed' | 'open' | 'half_open';

const breakerValues: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

/** The figures of one gateway process, in a registry of its own so that several can run in one process. */
export class Metrics {
  readonly registry = new Registry();

  private readonly requests = new Counter({
    name: 'lotse_gateway_requests_total',
    help: 'GraphQL requests over HTTP by the kind of operation, the executor that ran it and the outcome.',
    labelNames: ['operation', 'executor', 'outcome'] as const,
    registers: [this.registry],
  });

  private readonly upstream = new Histogram({
    name: 'lotse_gateway_upstream_seconds',
    help: 'Time an instance took to answer, by instance and outcome.',
    labelNames: ['instance', 'outcome'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
    registers: [this.registry],
  });

  private readonly breakers = new Gauge({
    name: 'lotse_gateway_breaker_state',
    help: 'Circuit breaker of each instance: 0 closed, 1 half open, 2 open.',
    labelNames: ['instance'] as const,
    registers: [this.registry],
  });

  request(operation: string, executor: string, outcome: string): void {
    this.requests.inc({ operation, executor, outcome });
  }

  /** Pre-bound per instance and outcome: labels need not be hashed on each request. */
  upstreamTimer(instance: string): (outcome: string, milliseconds: number) => void {
    const observers = new Map<string, { observe(value: number): void }>();
    return (outcome, milliseconds) => {
      let observer = observers.get(outcome);
      if (observer === undefined) {
        observer = this.upstream.labels({ instance, outcome });
        observers.set(outcome, observer);
      }
      observer.observe(milliseconds / 1_000);
    };
  }

  breaker(instance: string, state: BreakerState): void {
    this.breakers.set({ instance }, breakerValues[state]);
  }

  forget(instance: string): void {
    this.breakers.remove({ instance });
  }
}
