import { sql } from 'kysely';
import { Gauge, type Registry } from 'prom-client';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';

/** How claims stand, counted when it is asked for. A database that does not answer leaves the numbers as they were. */
export class ClaimMetrics {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  register(registry: Registry): void {
    const { database, clock } = this;
    const count = async (gauge: Gauge<string>, query: ReturnType<typeof sql<{ labels: Record<string, string>; count: number }>>): Promise<void> => {
      const found = await query.execute(database.worker.sql).catch(() => undefined);
      if (!found) return;
      gauge.reset();
      for (const { labels, count: value } of found.rows) gauge.set(labels, value);
    };
    registry.registerMetric(
      new Gauge({
        name: 'lotse_claims',
        help: 'Claims not over yet that this house keeps, by the house that holds them and their state.',
        labelNames: ['partner', 'state'],
        registers: [],
        collect() {
          return count(this, sql`select jsonb_build_object('partner', holder, 'state', state) as labels, count(*)::int as count from claim where state <> 'RELEASED' and end_at > ${clock.now()} group by holder, state`);
        },
      }),
    );
    registry.registerMetric(
      new Gauge({
        name: 'lotse_assignments',
        help: 'Assignments and blocks of coupled guides, not over yet, by what the keeper of their claims has said.',
        labelNames: ['verification'],
        registers: [],
        collect() {
          return count(
            this,
            sql`select jsonb_build_object('verification', verification) as labels, count(*)::int as count from guide_assignment
                where ended_at is null and end_at > ${clock.now()} and guide_id in (select guide_id from coupling where state = 'ACTIVE') group by verification`,
          );
        },
      }),
    );
  }
}
