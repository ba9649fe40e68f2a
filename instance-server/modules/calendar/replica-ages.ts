import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';
import type { ReplicaAges } from '../links/index.js';
import { calendarRepository as repository } from './calendar.repository.js';

/** For so long what was read is used again: a copy is then told to be older than it is by that much at most, never younger. */
const READ_AGAIN_AFTER_MS = 1_000;

/** Seconds since an instant, by the clock given; never negative, should another clock have been ahead. */
export const ageInSeconds = (asOf: Date | string, now: Date): number => Math.max(0, Math.ceil((now.getTime() - new Date(asOf).getTime()) / 1_000));

/** Responsible for how old this house's copies of its partners' calendars are. Asked with every grant, so it costs a statement a second at most. */
export class CalendarReplicaAges implements ReplicaAges {
  #completeAt: Promise<ReadonlyMap<string, Date>> | undefined;
  #readAt = -Infinity;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  async of(couplingIds: readonly string[]): Promise<(number | null)[]> {
    const completeAt = await this.#read();
    const now = this.clock.now();
    return couplingIds.map((id) => {
      const complete = completeAt.get(id);
      return complete ? ageInSeconds(complete, now) : null;
    });
  }

  #read(): Promise<ReadonlyMap<string, Date>> {
    if (this.#completeAt && performance.now() - this.#readAt < READ_AGAIN_AFTER_MS) return this.#completeAt;
    this.#readAt = performance.now();
    const reading = repository.completeReplicas(this.database).then((rows) => new Map(rows.map((row) => [row.coupling_id, row.complete_at])));
    // A failure is told to who asked and not kept.
    reading.catch(() => {
      if (this.#completeAt === reading) this.#completeAt = undefined;
    });
    this.#completeAt = reading;
    return reading;
  }
}
