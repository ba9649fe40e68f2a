import { randomUUID } from 'node:crypto';
import { OperatorClient } from '../../../../scripts/operator/client.js';
import { connectInstances } from '../../../../scripts/operator/connect.js';
import type { Cleanup } from '../../../testkit/cleanup.js';
import { client, type GraphqlClient } from '../../../testkit/client.js';
import type { TestClock } from '../../../testkit/clock.js';
import { createInstance, type InstanceHere, startInstanceHere, type TestInstance } from '../../../testkit/instance.js';
import { operatorKey } from '../../../testkit/keys.js';
import { Records } from '../../../testkit/records.js';
import { until } from '../../../testkit/until.js';
import { type BookingMutation, type BookingView, bookingOf, change } from '../../instance/support/booking-api.js';

/** What an assignment is to the other house. */
export interface Copy {
  id: string;
  coupling_id: string;
  guide_id: string;
  incarnation: number;
  version: number;
  start_at: Date;
  end_at: Date;
  offer_title: string | null;
  kind: string;
  ended: boolean;
}

/** One house with a server in this process, which can be stopped and started again at the same address. */
export class ReplicatingHouse {
  server!: InstanceHere;
  #staffToken: string | undefined;

  constructor(
    readonly instance: TestInstance,
    readonly records: Records,
    private readonly env: Record<string, string>,
  ) {}

  get code(): string {
    return this.instance.code;
  }

  get url(): string {
    return this.server.url;
  }

  get api(): GraphqlClient {
    return client(this.server.url);
  }

  get operator(): OperatorClient {
    return new OperatorClient(this.server.url, operatorKey);
  }

  async start(clock?: TestClock): Promise<void> {
    const port = (this.server as InstanceHere | undefined)?.port ?? 0;
    this.server = await startInstanceHere(this.instance, { clock: clock ?? this.server?.clock, env: { ...this.env, PORT: String(port) } });
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }

  /** A token of staff; made anew before it ends. */
  async staff(): Promise<string> {
    this.#staffToken ??= (await this.records.signedIn('STAFF')).token;
    return this.#staffToken;
  }

  async run(mutation: BookingMutation, input: Record<string, unknown>): Promise<BookingView> {
    return bookingOf(await change(this.api, await this.staff(), mutation, input));
  }

  async delete(bookingId: string, expectedVersion: number): Promise<void> {
    const outcome = await change(this.api, await this.staff(), 'deleteBooking', { bookingId, expectedVersion });
    if (outcome.deletedBookingId !== bookingId) throw new Error(`not deleted: ${JSON.stringify(outcome)}`);
  }

  /** Its replica of one coupling, by id. */
  copies(couplingId: string): Promise<Copy[]> {
    return this.records.query<Copy>(
      `select id, coupling_id, guide_id, incarnation, version, start_at, end_at, offer_title, kind, ended from foreign_booking where coupling_id = $1 order by id`,
      [couplingId],
    );
  }

  /** What its partners should hold of one guide, by id; ended ones as far as they were ended since the coupling. */
  async originals(guideId: string): Promise<Omit<Copy, 'coupling_id' | 'guide_id' | 'incarnation'>[]> {
    return this.records.query(
      `select a.id, a.version, a.start_at, a.end_at, case when a.ended_at is null then coalesce(o.title, s.block_title) end as offer_title, a.kind, a.ended_at is not null as ended
       from guide_assignment a cross join settings s left join booking b on b.id = a.booking_id left join offer o on o.id = b.offer_id
       where a.guide_id = $1 order by a.id`,
      [guideId],
    );
  }

  /** Assignments that wait for partners, or for the one of a coupling. */
  waiting(couplingId: string | null = null): Promise<{ kind: string; record_id: string; refused_code: string | null; attempts: number }[]> {
    return this.records.query(`select kind, record_id, refused_code, attempts from outbox where kind = 'ASSIGNMENT' and ($1::uuid is null or coupling_id = $1) order by seq`, [couplingId]);
  }
}

export async function openReplicatingHouse(cleanup: Cleanup, code: string, env: Record<string, string> = {}, clock?: TestClock): Promise<ReplicatingHouse> {
  const instance = cleanup.own(await createInstance({ code }), (made) => made.drop());
  const records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const house = new ReplicatingHouse(instance, records, env);
  await house.start(clock);
  cleanup.own(house, (opened) => opened.stop());
  return house;
}

export interface CoupledGuide {
  couplingId: string;
  globalId: string;
  /** By the code of the house. */
  ids: Record<string, string>;
}

/** A guide of both houses, as if he had confirmed; over the link given or the one there is. */
export async function coupleGuide(one: ReplicatingHouse, other: ReplicatingHouse, existing: Partial<Record<string, string>> = {}): Promise<CoupledGuide> {
  const couplingId = randomUUID();
  const globalId = `g_${couplingId}`;
  const ids: Record<string, string> = {};
  for (const house of [one, other]) ids[house.code] = existing[house.code] ?? (await house.records.guide());
  await one.records.seed.coupling({ id: couplingId, link: { partnerCode: other.code }, guideId: ids[one.code] ?? '', globalId });
  await other.records.seed.coupling({ id: couplingId, link: { partnerCode: one.code }, guideId: ids[other.code] ?? '', globalId, requestedHere: false });
  return { couplingId, globalId, ids };
}

export interface Pair {
  alpha: ReplicatingHouse;
  beta: ReplicatingHouse;
  linkId: string;
}

export async function openPair(cleanup: Cleanup, { alpha: alphaEnv = {}, beta: betaEnv = {} }: { alpha?: Record<string, string>; beta?: Record<string, string> } = {}): Promise<Pair> {
  const [alpha, beta] = await Promise.all([openReplicatingHouse(cleanup, 'alpha', alphaEnv), openReplicatingHouse(cleanup, 'beta', betaEnv)]);
  const { linkId } = await connectInstances(alpha.operator, beta.operator);
  return { alpha, beta, linkId };
}

/** Resolves once the replica at `to` of this guide is what `from` has, and nothing waits there. */
export async function converged(from: ReplicatingHouse, to: ReplicatingHouse, guide: CoupledGuide, timeoutMs?: number): Promise<Copy[]> {
  const essence = (rows: readonly Partial<Copy>[]): string =>
    JSON.stringify(rows.map(({ id, version, start_at, end_at, offer_title, kind, ended }) => [id, version, start_at, end_at, offer_title, kind, ended]));
  let [wanted, found] = ['', ''];
  await until(async () => {
    wanted = essence(await from.originals(guide.ids[from.code] ?? ''));
    found = essence(await to.copies(guide.couplingId));
    return wanted === found && (await from.waiting(guide.couplingId)).length === 0;
  }, timeoutMs).catch(async (error: unknown) => {
    throw new Error(`the replica is ${found}, the origin ${wanted}; waiting: ${JSON.stringify(await from.waiting(guide.couplingId))}; ${JSON.stringify(await from.records.query('select * from sync_peer'))}`, { cause: error });
  });
  return to.copies(guide.couplingId);
}
