import { Counter, Gauge, type Registry } from 'prom-client';

/** Without a registry the numbers are counted and not published. */
export function createMetrics(registry?: Registry) {
  const registers = registry === undefined ? [] : [registry];
  return {
    clientSockets: new Gauge({
      name: 'lotse_gateway_ws_client_sockets',
      help: 'Open WebSockets of clients',
      registers,
    }),
    operations: new Gauge({
      name: 'lotse_gateway_ws_operations',
      help: 'Subscriptions passed to an instance',
      labelNames: ['instance'],
      registers,
    }),
    upstreamSockets: new Gauge({
      name: 'lotse_gateway_ws_upstream_sockets',
      help: 'Open WebSockets to instances',
      labelNames: ['instance'],
      registers,
    }),
    upstreamReconnects: new Counter({
      name: 'lotse_gateway_ws_upstream_reconnects_total',
      help: 'Attempts to reach an instance again after its socket was lost',
      labelNames: ['instance'],
      registers,
    }),
    closes: new Counter({
      name: 'lotse_gateway_ws_client_closes_total',
      help: 'Closed WebSockets of clients by close code',
      labelNames: ['code'],
      registers,
    }),
  } as const;
}

export type SubscriptionMetrics = ReturnType<typeof createMetrics>;

const KNOWN_CODES = new Set([1000, 1001, 1005, 1006, 1009, 1012, 1013, 4400, 4401, 4403, 4406, 4408, 4409, 4429]);

/** A client may close with any number: those nobody knows share one label, so that it cannot fill the registry. */
export function closeCodeLabel(code: number): string {
  return KNOWN_CODES.has(code) ? String(code) : 'other';
}
