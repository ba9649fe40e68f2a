import { Counter, Gauge, type Registry } from 'prom-client';
import type { KnownLink } from '../links/index.js';
import type { SyncStatus } from './sync.service.js';

const seconds = (instant: Date | null): number | null => instant && instant.getTime() / 1000;

const differing = ({ lastDigestResult }: SyncStatus): number => Number(/^DIFFERENT (\d+)$/.exec(lastDigestResult ?? '')?.[1] ?? 0);

const isFailing = ({ lastErrorAt, lastContactAt }: SyncStatus): boolean => lastErrorAt !== null && (lastContactAt === null || lastErrorAt > lastContactAt);

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
    const gauges: { name: string; help: string; value: (status: SyncStatus) => number | null }[] = [
      { name: 'lotse_sync_backlog', help: 'Records that wait for a partner.', value: (status) => status.backlog },
      { name: 'lotse_sync_oldest_waiting_seconds', help: 'How long the oldest waiting record has waited.', value: (status) => status.oldestWaitingSeconds ?? 0 },
      { name: 'lotse_sync_clock_alarm', help: '1 while the clocks of a partner and of this instance differ too much.', value: (status) => Number(status.clockAlarm) },
      { name: 'lotse_sync_failing', help: '1 while the last attempt to reach a partner has failed.', value: (status) => Number(isFailing(status)) },
      { name: 'lotse_sync_last_contact_timestamp_seconds', help: 'When a partner was last heard; none if never.', value: (status) => seconds(status.lastContactAt) },
      { name: 'lotse_sync_last_comparison_timestamp_seconds', help: 'When copies were last compared with a partner; none if never.', value: (status) => seconds(status.lastDigestAt) },
      { name: 'lotse_sync_different_couplings', help: 'Couplings whose copies at a partner were not what they should be at the last comparison.', value: differing },
      { name: 'lotse_sync_lost_bookings', help: 'Bookings lost in a restore that a partner still holds and staff have not let go.', value: (status) => status.lostBookings },
    ];
    // Asked for all together: one reading serves them.
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
            for (const status of all) {
              const found = value(status);
              if (found !== null) this.set({ partner: status.partner }, found);
            }
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
