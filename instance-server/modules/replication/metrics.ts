import { Counter, Gauge, type Registry } from 'prom-client';
import type { KnownLink } from '../links/index.js';
import type { SyncStatus } from './sync.service.js';

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

  /** `read` gives the state of all links when the numbers are asked for. */
  register(registry: Registry, read: () => Promise<SyncStatus[]>): void {
    const gauges = [
      { name: 'lotse_sync_backlog', help: 'Records that wait for a partner.', value: (status: SyncStatus) => status.backlog },
      { name: 'lotse_sync_oldest_waiting_seconds', help: 'How long the oldest waiting record has waited.', value: (status: SyncStatus) => status.oldestWaitingSeconds ?? 0 },
      { name: 'lotse_sync_clock_alarm', help: '1 while the clocks of a partner and of this instance differ too much.', value: (status: SyncStatus) => Number(status.clockAlarm) },
    ];
    // Asked for all together: one reading serves the three.
    let reading: Promise<SyncStatus[]> | undefined;
    const readOnce = (): Promise<SyncStatus[]> => {
      reading ??= read()
        .catch(() => [])
        .finally(() => {
          reading = undefined;
        });
      return reading;
    };
    for (const { name, help, value } of gauges) {
      registry.registerMetric(
        new Gauge({
          name,
          help,
          labelNames: ['partner'],
          registers: [],
          async collect() {
            const all = await readOnce();
            this.reset();
            for (const status of all) this.set({ partner: status.partner }, value(status));
          },
        }),
      );
    }
    for (const metric of [this.#delivered, this.#refused, this.#applied, this.#repairs]) registry.registerMetric(metric);
  }

  delivered({ partnerCode: partner }: KnownLink, kind: string, count: number): void {
    this.#delivered.inc({ partner, kind }, count);
  }

  /** `partner` is empty for a call of which is not proven whose it was. */
  refused(partner: string, code: string, direction: 'in' | 'out'): void {
    this.#refused.inc({ partner, code, direction });
  }

  applied({ partnerCode: partner }: KnownLink, kind: string, count: number): void {
    this.#applied.inc({ partner, kind }, count);
  }

  repaired({ partnerCode: partner }: KnownLink, count: number): void {
    this.#repairs.inc({ partner }, count);
  }
}
