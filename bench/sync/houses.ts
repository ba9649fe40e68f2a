import { randomUUID } from 'node:crypto';
import type { Records } from '../../tests/testkit/records.js';

/** Before every booking that may be there already. */
const FIRST = '2030-01-01T00:00:00Z';
export const OURS = `start_at < '2031-01-01'`;

export interface Side {
  readonly code: string;
  readonly records: Records;
}

/** Guides who are coupled in two linked houses, their bookings at the origin and the copies at the target, which keeps the claims. */
export class Houses {
  constructor(
    readonly origin: Side,
    readonly target: Side,
    private readonly count: number,
  ) {}

  async couple(): Promise<string> {
    const [id, globalId] = [randomUUID(), `g_${randomUUID()}`];
    const [here, there] = [await this.target.records.guide({ globalId }), await this.origin.records.guide({ globalId })];
    await this.target.records.seed.coupling({ id, link: { partnerCode: this.origin.code }, guideId: here, globalId });
    await this.origin.records.seed.coupling({ id, link: { partnerCode: this.target.code }, guideId: there, globalId, requestedHere: false });
    return there;
  }

  /** Bookings of ten minutes each quarter of an hour, by SQL: how they are made is not what is measured. */
  async plant(guideIds: readonly string[], offerId: string): Promise<void> {
    await this.origin.records.query(
      `with slot as (select guide_id, gen_random_uuid() as booking, gen_random_uuid() as customer, timestamptz '${FIRST}' + n * interval '15 min' as start_at
                       from generate_series(1, $1::int) n, unnest($3::uuid[]) guide_id),
            c as (insert into customer (id, name) select customer, 'Invented Customer' from slot),
            b as (insert into booking (id, offer_id, customer_id, start_at, end_at, state, guide_demand)
                  select booking, $2::uuid, customer, start_at, start_at + interval '10 min', 'BOOKED', 1 from slot)
       insert into guide_assignment (id, guide_id, booking_id, start_at, end_at)
       select gen_random_uuid(), guide_id, booking, start_at, start_at + interval '10 min' from slot`,
      [this.count / guideIds.length, offerId, guideIds],
    );
    await this.applied(1);
    await this.settle();
  }

  /** Moves every booking, all in one transaction. Resolves with the time of the commit. */
  async change(version: number): Promise<number> {
    const { records } = this.origin;
    await records.query('begin');
    await records.query(`update guide_assignment set version = $1, start_at = start_at + interval '1 sec' where ${OURS}`, [version]);
    await records.query('commit');
    return performance.now();
  }

  async applied(version: number): Promise<void> {
    await poll(async () => {
      const [found] = await this.target.records.query<{ count: number }>(`select count(*)::int as count from foreign_booking where version = $1 and ${OURS}`, [version]);
      return found?.count === this.count;
    });
  }

  /** The next round begins when the sender has heard the last acknowledgement too, and dead rows are away. */
  async settle(): Promise<void> {
    const { origin, target } = this;
    await poll(async () => (await origin.records.query('select 1 from outbox limit 1')).length === 0);
    const [left] = await origin.records.query<{ count: number }>(`select count(*)::int as count from guide_assignment where verification <> 'VERIFIED' and ${OURS}`);
    if (left?.count !== 0) throw new Error('claims were not granted');
    for (const { records } of [origin, target]) await records.query('vacuum analyze');
  }
}

const POLL_MS = 10;

/** Asks again until it holds. @throws after a minute */
export async function poll(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('the changes have not arrived within a minute');
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, POLL_MS);
    await promise;
  }
}
