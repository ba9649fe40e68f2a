import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { composeInstance, type Instance } from '../../../../instance-server/composition.js';
import { readConfig } from '../../../../instance-server/config.js';
import type { CouplingItem } from '../../../../instance-server/modules/links/index.js';
import { CouplingKind } from '../../../../instance-server/modules/replication/index.js';
import type { Cleanup } from '../../../testkit/cleanup.js';
import { client, type GraphqlClient } from '../../../testkit/client.js';
import { TestClock } from '../../../testkit/clock.js';
import { createInstance, type InstanceHere, instanceEnvironment, startInstanceHere, type TestInstance } from '../../../testkit/instance.js';
import { callOperator } from '../../../testkit/keys.js';
import { LossyPath } from '../../../testkit/lossy-path.js';
import { Records, type TestAccount } from '../../../testkit/records.js';
import { until } from '../../../testkit/until.js';

/** A guide of one house who can sign in. */
export interface Guide extends TestAccount {
  readonly guideId: string;
  readonly token: string;
}

/** What a mutation of couplings answers. */
export interface Outcome {
  __typename: string;
  code?: string;
  field?: string;
  reason?: string;
  coupling?: { id: string; state: string; pausedHere: boolean; pausedThere: boolean; health: string | null; guide: { id: string; displayName: string } | null };
}

const TYPES: Readonly<Record<string, string>> = { requestCoupling: 'RequestCouplingInput', acceptCoupling: 'AcceptCouplingInput' };

/** One house of a pair, and the way on which the other one calls it. Its server can be stopped and started. */
export class Side {
  #server: InstanceHere | undefined;
  #way: LossyPath | undefined;
  #api: GraphqlClient | undefined;
  staff = '';

  private constructor(
    readonly instance: TestInstance,
    readonly records: Records,
    readonly clock: TestClock,
    private readonly env: Record<string, string>,
  ) {}

  static async open(cleanup: Cleanup, code: string, env: Record<string, string> = {}): Promise<Side> {
    const instance = cleanup.own(await createInstance({ code }), (made) => made.drop());
    const records = cleanup.own(await Records.open(instance), (opened) => opened.close());
    const side = cleanup.own(new Side(instance, records, new TestClock(), env), (opened) => opened.stop());
    await side.start();
    side.#way = cleanup.own(await LossyPath.open(() => side.#server?.url), (opened) => opened.close());
    side.staff = (await records.signedIn('STAFF')).token;
    return side;
  }

  async start(): Promise<void> {
    this.#server = await startInstanceHere(this.instance, { clock: this.clock, env: this.env });
    this.#api = client(this.#server.url);
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }

  get server(): InstanceHere {
    if (!this.#server) throw new Error(`the server of ${this.code} is down`);
    return this.#server;
  }

  get way(): LossyPath {
    if (!this.#way) throw new Error('not opened');
    return this.#way;
  }

  get api(): GraphqlClient {
    if (!this.#api) throw new Error('not opened');
    return this.#api;
  }

  get code(): string {
    return this.instance.code;
  }

  async guide(): Promise<Guide> {
    const guideId = await this.records.guide();
    return { ...(await this.records.signedIn('GUIDE', { guideId })), guideId };
  }

  async change(mutation: string, input: Record<string, unknown>, token = this.staff): Promise<Outcome> {
    const document = `mutation ($input: ${TYPES[mutation] ?? 'CouplingInput'}!) { ${mutation}(input: $input) { __typename
      ... on CouplingPayload { coupling { id state pausedHere pausedThere health guide { id displayName } } }
      ... on UserError { code } ... on InvalidInputError { field reason } ... on NotFoundError { field } } }`;
    const { data, text } = await this.api.query<Record<string, Outcome>>(document, { input }, token);
    const outcome = data?.[mutation];
    if (!outcome) throw new Error(text);
    return outcome;
  }

  async operator(command: string, input: unknown = {}): Promise<Record<string, unknown>> {
    const { status, body } = await callOperator(this.server, command, input);
    if (status !== 200) throw new Error(`${command}: ${JSON.stringify(body)}`);
    return body.result as Record<string, unknown>;
  }

  /** The row of a coupling, with what of it tests ask for. */
  async coupling(id: string): Promise<{ state: string; paused_here: boolean; paused_there: boolean; guide_id: string | null; version: number } | undefined> {
    const [row] = await this.records.query<{ state: string; paused_here: boolean; paused_there: boolean; guide_id: string | null; version: number }>(
      'select state, paused_here, paused_there, guide_id, version from coupling where id = $1',
      [id],
    );
    return row;
  }

  async count(table: string, couplingId: string): Promise<number> {
    const [row] = await this.records.query<{ count: number }>(`select count(*)::int as count from ${table} where coupling_id = $1`, [couplingId]);
    return row?.count ?? 0;
  }
}

/** Two houses, linked, each with a server of its own in this process; every call between them can be lost. */
export async function openPair(cleanup: Cleanup, codes: readonly [string, string] = ['alpha', 'beta'], env: Record<string, string> = {}): Promise<{ a: Side; b: Side }> {
  const a = await Side.open(cleanup, codes[0], env);
  const b = await Side.open(cleanup, codes[1], env);
  await connect(a, b);
  return { a, b };
}

export async function connect(a: Side, b: Side): Promise<void> {
  const offer = await a.operator('links/propose', { partner: b.code });
  const answer = await b.operator('links/accept', { offer });
  await a.operator('links/complete', { answer });
  await a.operator('links/move', { partner: b.code, endpoint: b.way.url });
  await b.operator('links/move', { partner: a.code, endpoint: a.way.url });
}

/** All the way to an active coupling of these two; gives its id. */
export async function couple(a: Side, b: Side, one: Guide, other: Guide): Promise<string> {
  const requested = await a.change('requestCoupling', { idempotencyKey: randomUUID(), guideId: one.guideId, instance: b.code });
  const couplingId = requested.coupling?.id ?? '';
  await b.change('acceptCoupling', { couplingId, guideId: other.guideId });
  await a.change('confirmCoupling', { couplingId }, one.token);
  const confirmed = await b.change('confirmCoupling', { couplingId }, other.token);
  if (confirmed.coupling?.state !== 'ACTIVE') throw new Error(`not coupled: ${JSON.stringify([requested, confirmed])}`);
  return couplingId;
}

/** What was received over a coupling, as if a delivery had brought it. */
export async function plantForeign(side: Side, couplingId: string, guideId: string, start: Date): Promise<string> {
  const id = randomUUID();
  await side.records.query(
    `insert into foreign_booking (coupling_id, id, guide_id, link_id, incarnation, version, start_at, end_at, offer_title, kind, received_at)
     select $1, $2, $3, link_id, 1, 1, $4, $4::timestamptz + interval '1 hour', 'Tour there', 'BOOKING', now() from coupling where id = $1`,
    [couplingId, id, guideId, start],
  );
  return id;
}

/** What a drain does: everything that waits in one house of the couplings' states goes to the other, and the answers come back. */
export class Deliveries {
  private constructor(private readonly instances: ReadonlyMap<string, Instance>) {}

  static async open(cleanup: Cleanup, ...sides: readonly Side[]): Promise<Deliveries> {
    const instances = new Map<string, Instance>();
    for (const side of sides) {
      const config = readConfig(instanceEnvironment(side.instance));
      const instance = await composeInstance(config, pino({ level: 'silent' }), side.clock, () => side.server.url, () => '');
      instances.set(side.code, cleanup.own(instance, (made) => made.close()));
    }
    return new Deliveries(instances);
  }

  /** What waits, as it would be sent. */
  async waiting(from: Side, to: Side): Promise<CouplingItem[]> {
    const { kind, instance, link } = await this.#at(from, to);
    const rows = await from.records.query<{ couplingId: string; recordId: string }>(
      `select coupling_id as "couplingId", record_id as "recordId" from outbox where kind = 'COUPLING' and link_id = $1 order by seq`,
      [link.id],
    );
    return instance.database.worker.transaction((tx) => kind.project(tx, link, rows));
  }

  async deliver(from: Side, to: Side, items?: readonly CouplingItem[], incarnation = 1): Promise<unknown[]> {
    const sent = items ?? (await this.waiting(from, to));
    const answers: unknown[] = [];
    for (const item of sent) {
      const there = await this.#at(to, from);
      const received = there.kind.schema.parse(JSON.parse(JSON.stringify(item)));
      const [answer] = await there.instance.database.worker.transaction((tx) => there.kind.apply(tx, { link: there.link, incarnation, now: to.clock.now(), couplings: new Map() }, [received]));
      answers.push(answer);
      const here = await this.#at(from, to);
      await here.instance.database.worker.transaction((tx) => here.kind.answered(tx, here.link, [{ item, answer }]));
      await from.records.query(`delete from outbox where coupling_id = $1 and kind = 'COUPLING'`, [item.couplingId]);
    }
    return answers;
  }

  /** Until nothing waits for the other any more, on either side. */
  async quiet(a: Side, b: Side): Promise<void> {
    const waits = async (from: Side, to: Side): Promise<number> => (await this.waiting(from, to)).length;
    await until(async () => (await waits(a, b)) + (await waits(b, a)) === 0, 20_000);
  }

  async #at(side: Side, other: Side) {
    const instance = this.instances.get(side.code);
    await instance?.directory.fresh();
    const link = instance?.directory.byPartner(other.code);
    if (!instance || !link) throw new Error(`${side.code} has no link with ${other.code}`);
    return { instance, link, kind: new CouplingKind(instance.couplingStates, instance.clock) };
  }
}
