import { Counter, type Registry } from 'prom-client';
import type { KnownLink } from '../links/index.js';

/** Numbers of the exchange with partners, by this process. */
export class SyncMetrics {
  readonly #delivered = new Counter({ name: 'lotse_sync_delivered_total', help: 'Records delivered to a partner and acknowledged by it.', labelNames: ['partner', 'kind'], registers: [] });
  readonly #refused = new Counter({
    name: 'lotse_sync_refused_total',
    help: 'Items and calls refused, by us (in) or by the partner (out), by code.',
    labelNames: ['partner', 'code', 'direction'],
    registers: [],
  });
  readonly #applied = new Counter({ name: 'lotse_sync_applied_total', help: 'Records taken from a partner.', labelNames: ['partner', 'kind'], registers: [] });
  readonly #repairs = new Counter({ name: 'lotse_sync_digest_repairs_total', help: 'Records that a partner held wrongly and that were sent again.', labelNames: ['partner'], registers: [] });

  register(registry: Registry): void {
    for (const metric of [this.#delivered, this.#refused, this.#applied, this.#repairs]) registry.registerMetric(metric);
  }

  delivered({ partnerCode: partner }: KnownLink, kind: string, count: number): void {
    this.#delivered.inc({ partner, kind }, count);
  }

  refused({ partnerCode: partner }: KnownLink, code: string, direction: 'in' | 'out'): void {
    this.#refused.inc({ partner, code, direction });
  }

  applied({ partnerCode: partner }: KnownLink, kind: string, count: number): void {
    this.#applied.inc({ partner, kind }, count);
  }

  repaired({ partnerCode: partner }: KnownLink, count: number): void {
    this.#repairs.inc({ partner }, count);
  }
}
