import { type Answer, client } from '../../testkit/client.js';
import { type CalendarEntry, type Federation, type House, RANGE, startFederation, until, wholeCalendar } from '../../testkit/federation.js';
import { wsClient } from '../../testkit/socket.js';

/*
 * Instances die and freeze under load: their own part alone is shown from the copy of the guide's house, marked with its age, and they
 * come back without anybody's help.
 */

let federation: Federation;
beforeAll(async () => {
  federation = await startFederation({ gateway: { UPSTREAM_TIMEOUT_MS: '3000', BREAKER_HALF_OPEN_MS: '300' } });
});
afterAll(() => federation?.close());

const ENTRY = 'id start end origin offerTitle instance { code name url } details { bookingId customer { name email phone } partySize language notes } replicaAge';
const CALENDAR = `query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { ${ENTRY} } } } }`;
const GUIDES = `query ($range: TimeRangeInput!) { guides { edges { node { calendar(range: $range) { ${ENTRY} } } } } }`;

/** Why a part may be missing while its instance is gone, frozen or just back. */
const REASONS = new Set(['UNREACHABLE', 'TIMEOUT', 'CIRCUIT_OPEN']);
const CLIENTS = 20;

interface Asker {
  readonly name: string;
  readonly document: string;
  readonly token: string;
  readonly home: House;
  /** The answer in full. */
  readonly whole: CalendarEntry[];
}

type AgedEntry = CalendarEntry & { replicaAge: number | null };

const entriesOf = ({ data }: Answer<unknown>): AgedEntry[] | undefined => {
  const root = data as { me?: { guide: { calendar: AgedEntry[] } }; guides?: { edges: { node: { calendar: AgedEntry[] } }[] } } | null;
  return root?.me?.guide.calendar ?? root?.guides?.edges.flatMap(({ node }) => node.calendar);
};

async function askers(): Promise<Asker[]> {
  const { alpha, beta, gamma } = federation;
  const guide = async (name: string, home: House, others: House[]): Promise<Asker> => ({ name: `${name}@${home.code}`, document: CALENDAR, token: await home.guideToken(name), home, whole: wholeCalendar(name, home, others) });
  const staff = async (home: House): Promise<Asker> => {
    const guides = [...home.guides.values()].sort((one, other) => (one.lastName < other.lastName ? -1 : 1));
    return { name: `staff@${home.code}`, document: GUIDES, token: await home.staffToken(), home, whole: guides.flatMap(({ bookings }) => bookings.map((booking) => home.localEntry(booking))) };
  };
  return Promise.all([
    guide('greta', alpha, [beta, gamma]), guide('greta', alpha, [beta, gamma]), guide('gwen', alpha, [beta]), guide('solo', alpha, []), staff(alpha),
    guide('greta', beta, [alpha, gamma]), staff(beta), guide('greta', gamma, [alpha, beta]), guide('solo', gamma, []), staff(federation.delta),
  ]);
}

/** What is wrong with an answer while these may not answer; nothing for one that is complete or says what is not. */
function faultOf({ home, whole }: Asker, answer: Answer<unknown>, missing: readonly (House | undefined)[]): string | undefined {
  const named = new Set<string>();
  for (const { extensions } of answer.errors ?? []) {
    const { code, instance, reason } = extensions;
    const isExpected = code === 'INSTANCE_UNAVAILABLE' && REASONS.has(String(reason)) && missing.some((house) => house?.code === instance);
    if (!isExpected) return `an error of another kind: ${answer.text}`;
    named.add(String(instance));
  }
  const entries = entriesOf(answer);
  for (const { instance, replicaAge } of entries ?? []) {
    if ((replicaAge !== null) !== named.has(instance.code)) return `marked wrongly: ${answer.text}`;
  }
  // Without his home there is no answer at all; without another house, its part is a copy.
  const expected = named.has(home.code) ? undefined : whole;
  return JSON.stringify(withoutAges(entries)) === JSON.stringify(expected) ? undefined : `not what it should be: ${answer.text}`;
}

function withoutAges(entries: readonly AgedEntry[] | undefined): unknown {
  return entries && JSON.parse(JSON.stringify(entries, (key, value: unknown) => (key === 'replicaAge' ? undefined : value)));
}

/** Clients that ask one after the other until they are told to stop. */
class Load {
  readonly faults: string[] = [];
  answers = 0;
  /** Complete answers and incomplete ones to viewers of other houses than the missing one, since the last change. */
  complete = 0;
  partial = 0;
  slowestMs = 0;
  missing: House | undefined;
  #stopped = false;

  async run(asker: Asker): Promise<void> {
    while (!this.#stopped) {
      // The instance may have gone or come while the question was under way.
      const before = this.missing;
      const started = performance.now();
      const answer = await client(federation.gateway.url).query<unknown>(asker.document, { range: RANGE }, asker.token);
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
      this.answers += 1;
      const fault = faultOf(asker, answer, [before, this.missing]);
      if (fault !== undefined) this.faults.push(`${asker.name}: ${fault}`);
      if (asker.home !== this.missing && asker.whole.some(({ instance }) => instance.code === this.missing?.code)) {
        if (answer.errors === undefined) this.complete += 1;
        else this.partial += 1;
      }
    }
  }

  next(missing: House | undefined): void {
    this.missing = missing;
    this.complete = 0;
    this.partial = 0;
  }

  stop(): void {
    this.#stopped = true;
  }
}

test('the others’ parts keep coming, complete and correct, while one instance is killed, comes back, and another freezes', async () => {
  const { alpha, beta, gamma, gateway } = federation;
  const all = await askers();
  const follower = wsClient(gateway.url, () => all[0]?.token);
  follower.subscribe('subscription ($id: ID!) { calendarChanged(guideId: $id) { kind } }', { id: alpha.guide('greta').id });
  await follower.connections.waitFor();

  // The first question of each kind costs more than all after it; two busy cores must not be taken for a dead house.
  for (const asker of all) await client(gateway.url).query(asker.document, { range: RANGE }, asker.token);
  const load = new Load();
  const running = Promise.all(Array.from({ length: CLIENTS }, (_, index) => load.run(all[index % all.length] as Asker)));
  const reach = (count: 'complete' | 'partial', least: number, what: string) => until(() => load[count] >= least || load.faults.length > 0, what, 20_000);
  try {
    await until(() => load.answers >= 100, 'a hundred were answered', 20_000);
    expect(load.faults).toEqual([]);

    load.next(beta);
    await beta.server.kill();
    await reach('partial', 150, 'the others were answered without beta');
    await beta.server.start();
    load.next(beta);
    await reach('complete', 50, 'beta is there again');

    load.next(gamma);
    gamma.server.freeze();
    await reach('partial', 150, 'the others were answered without gamma');
    gamma.server.thaw();
    load.next(gamma);
    await reach('complete', 50, 'gamma is there again');
  } finally {
    gamma.server.thaw();
    load.stop();
    await running;
  }
  expect(load.faults).toEqual([]);
  console.log(`${load.answers} answers, the slowest after ${Math.round(load.slowestMs)} ms`);
  expect(follower.closes.items).toEqual([]);
  await follower.dispose();
  for (const asker of all) {
    await until(async () => {
      const answer = await client(gateway.url).query<unknown>(asker.document, { range: RANGE }, asker.token);
      return faultOf(asker, answer, []) === undefined;
    }, `${asker.name} sees everything again`);
  }
});

test('who is content with copies of some age is answered without the other houses: they may as well be dead', async () => {
  const { alpha, beta, gamma, gateway } = federation;
  const token = await alpha.guideToken('greta');
  const AGED = CALENDAR.replace('($range', '($age: Int, $range').replace('(range: $range', '(range: $range, maxReplicaAge: $age');
  const ask = (age: number) => client(gateway.url).query<unknown>(AGED, { range: RANGE, age }, token);
  const codesOf = (answer: Answer<unknown>): (string | false)[] => entriesOf(answer)?.map(({ instance, replicaAge }) => replicaAge !== null && instance.code) ?? [];
  const copied = [false, false, 'beta', 'beta', 'gamma', 'gamma'];
  // Once the copies are known to be whole.
  await until(async () => JSON.stringify(codesOf(await ask(86_400))) === JSON.stringify(copied), 'both houses’ parts are copies', 30_000);
  beta.server.freeze();
  await gamma.server.kill();
  try {
    const answer = await ask(86_400);
    expect(answer.errors).toBeUndefined();
    expect(codesOf(answer)).toEqual(copied);
    expect(withoutAges(entriesOf(answer))).toEqual(wholeCalendar('greta', alpha, [beta, gamma]));
    const live = await ask(0);
    expect(live.errors?.map(({ extensions: { instance, replicaAge } }) => [instance, typeof replicaAge]).toSorted()).toEqual([['beta', 'number'], ['gamma', 'number']]);
    expect(withoutAges(entriesOf(live))).toEqual(wholeCalendar('greta', alpha, [beta, gamma]));
  } finally {
    beta.server.thaw();
    await gamma.server.start();
  }
  await until(async () => (await ask(0)).errors === undefined, 'both answer again');
  expect(codesOf(await ask(0))).toEqual(copied.map(() => false));
});

test('whose own house is down hears that, and nothing else', async () => {
  const { beta, gateway } = federation;
  const token = await beta.guideToken('greta');
  await beta.server.kill();
  const { data, errors, status } = await client(gateway.url).query(CALENDAR, { range: RANGE }, token);
  expect({ status, data, errors: errors?.map(({ message, extensions }) => ({ message, extensions })) }).toEqual({
    status: 200,
    data: null,
    errors: [{ message: 'The part of instance beta is missing.', extensions: { code: 'INSTANCE_UNAVAILABLE', instance: 'beta', reason: 'UNREACHABLE' } }],
  });
  await beta.server.start();
  await until(async () => (await client(gateway.url).query(CALENDAR, { range: RANGE }, token)).errors === undefined, 'she is answered again');
});
