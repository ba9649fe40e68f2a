import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { pino } from 'pino';
import { composeClaims } from '../../../../instance-server/modules/claims/index.js';
import { AuditService } from '../../../../instance-server/modules/audit/index.js';
import { LinkDirectory, PartnerClient } from '../../../../instance-server/modules/links/index.js';
import { SettingsStore } from '../../../../instance-server/modules/settings/index.js';
import { InstanceSecret } from '../../../../instance-server/platform/crypto.js';
import { Database } from '../../../../instance-server/platform/database/database.js';
import { EventHub } from '../../../../instance-server/platform/events/events.js';
import { connectInstances } from '../../../../scripts/operator/connect.js';
import type { Cleanup } from '../../../testkit/cleanup.js';
import { databaseUrl } from '../../../testkit/postgres.js';
import { until } from '../../../testkit/until.js';
import { at } from '../../instance/support/house.js';
import { openReplicatingHouse, type ReplicatingHouse } from '../../replication/support/houses.js';

export interface SharedGuide {
  /** By the code of the house. */
  ids: Record<string, string>;
  /** By the two codes. */
  couplings: Record<string, string>;
}

/** Houses that are all linked with one another. */
export async function openHouses(cleanup: Cleanup, codes: readonly string[], env: Record<string, Record<string, string>> = {}): Promise<ReplicatingHouse[]> {
  const houses = await Promise.all(codes.map((code) => openReplicatingHouse(cleanup, code, env[code])));
  for (const [index, one] of houses.entries()) for (const other of houses.slice(index + 1)) await connectInstances(one.operator, other.operator);
  return houses;
}

/** A guide of all these houses, coupled by pairs; the first asked for the first coupling, so it keeps the claims. */
export async function shareGuide(houses: readonly ReplicatingHouse[], guideIds?: Record<string, string>): Promise<SharedGuide> {
  const ids = guideIds ?? Object.fromEntries(await Promise.all(houses.map(async (house) => [house.code, await house.records.guide()] as const)));
  const globalId = `g_${randomUUID()}`;
  const couplings: Record<string, string> = {};
  for (const [index, one] of houses.entries()) {
    for (const other of houses.slice(index + 1)) {
      const id = randomUUID();
      await one.records.seed.coupling({ id, link: { partnerCode: other.code }, guideId: ids[one.code] ?? '', globalId });
      await other.records.seed.coupling({ id, link: { partnerCode: one.code }, guideId: ids[other.code] ?? '', globalId, requestedHere: false });
      couplings[`${one.code}-${other.code}`] = id;
    }
  }
  return { ids, couplings };
}

/** What a change came to. */
export interface Booked {
  __typename: string;
  booking?: { id: string; version: number; start: string; assignments: { id: string; verification: string; guide: { id: string } }[] };
  guideId?: string;
}

const OUTCOME = `__typename ... on BookingPayload { booking { id version start assignments { id verification guide { id } } } }
  ... on GuideUnavailableError { guideId start end } ... on GuideNotVerifiableError { guideId start end } ... on UserError { code message }`;

const TYPES = { createBooking: 'CreateBookingInput', rebookBooking: 'RebookBookingInput', assignGuide: 'AssignGuideInput' } as const;

export async function act(house: ReplicatingHouse, mutation: keyof typeof TYPES, input: Record<string, unknown>): Promise<Booked> {
  const document = `mutation ($input: ${TYPES[mutation]}!) { ${mutation}(input: $input) { ${OUTCOME} } }`;
  const answer = await house.api.query<Record<string, Booked>>(document, { input: { idempotencyKey: randomUUID(), ...input } }, await house.staff());
  const outcome = answer.data?.[mutation];
  if (!outcome) throw new Error(answer.text);
  return outcome;
}

const offers = new WeakMap<ReplicatingHouse, string>();

/** Books these guides of the house from one hour to another of a day in the future. */
export async function book(house: ReplicatingHouse, guideIds: readonly string[], start: Date, end: Date): Promise<Booked> {
  const offerId = offers.get(house) ?? (await house.records.offer());
  offers.set(house, offerId);
  return act(house, 'createBooking', { offerId, customer: { name: 'N' }, guideIds, time: { start: start.toISOString(), end: end.toISOString() } });
}

export const guideOf = (house: ReplicatingHouse, guide: SharedGuide): string => guide.ids[house.code] ?? '';

/** As `book`, this guide alone, from one hour to another. */
export const bookAt = (house: ReplicatingHouse, guide: SharedGuide, from: number, to: number): Promise<Booked> => book(house, [guideOf(house, guide)], at(from), at(to));

export const verificationOf = (booked: Booked): string => booked.booking?.assignments[0]?.verification ?? booked.__typename;
export const assignmentOf = (booked: Booked): string => booked.booking?.assignments[0]?.id ?? '';

/** What stands in the database. */
export async function verification(house: ReplicatingHouse, assignmentId: string): Promise<string | undefined> {
  const [row] = await house.records.query<{ verification: string }>('select verification from guide_assignment where id = $1', [assignmentId]);
  return row?.verification;
}

/** Living claims that a house keeps of a guide, `holder hour-hour STATE`, by start. */
export async function claimsAt(house: ReplicatingHouse, guide: SharedGuide, zero: Date): Promise<string[]> {
  const rows = await house.records.query<{ holder: string; start_at: Date; end_at: Date; state: string }>(
    `select holder, start_at, end_at, state from claim where guide_id = $1 and state <> 'RELEASED' order by start_at, holder`,
    [guide.ids[house.code]],
  );
  const hours = (moment: Date): number => (moment.getTime() - zero.getTime()) / 3_600_000;
  return rows.map(({ holder, start_at, end_at, state }) => `${holder} ${hours(start_at)}-${hours(end_at)} ${state}`);
}

export interface Conflict {
  assignment: { id: string; verification: string };
  guide: { id: string };
  booking: { id: string } | null;
  overlaps: { start: string; end: string }[];
  disputed: boolean;
}

export async function conflicts(house: ReplicatingHouse, variables: Record<string, unknown> = {}): Promise<{ nodes: Conflict[]; text: string; endCursor: string | null }> {
  const answer = await house.api.query<{ guideConflicts: { edges: { node: Conflict }[]; pageInfo: { endCursor: string | null } } }>(
    `query ($guideId: ID, $first: Int, $after: String) { guideConflicts(guideId: $guideId, first: $first, after: $after) {
       edges { node { assignment { id verification } guide { id } booking { id } overlaps { start end } disputed } } pageInfo { endCursor } } }`,
    variables,
    await house.staff(),
  );
  const { edges, pageInfo } = answer.data?.guideConflicts ?? { edges: [], pageInfo: { endCursor: null } };
  return { nodes: edges.map(({ node }) => node), text: answer.text, endCursor: pageInfo.endCursor };
}

/** Assignments, and what is said of their claims, that wait for partners. */
export const waiting = (house: ReplicatingHouse): Promise<{ kind: string; record_id: string; refused_code: string | null }[]> =>
  house.records.query(`select kind, record_id, refused_code from outbox where kind in ('ASSIGNMENT', 'CLAIM', 'DISPUTE', 'KEEPER', 'VERDICT') order by seq`);

/** Nothing of that waits anywhere. */
export async function quiet(houses: readonly ReplicatingHouse[]): Promise<void> {
  await until(async () => {
    for (const house of houses) if ((await waiting(house)).length > 0) return false;
    return true;
  });
}

/** Nothing is delivered to the partner, while signs of life go on; the function given lets it go. */
export async function holdDeliveries(house: ReplicatingHouse, partnerCode: string): Promise<() => Promise<void>> {
  const [link] = await house.records.query<{ id: string }>(`select id from link where partner_code = $1 and state = 'ACTIVE'`, [partnerCode]);
  const client = new Client({ connectionString: databaseUrl(house.instance.database) });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [`lotse drain ${link?.id}`]);
  return () => client.end();
}

/** The services of claims on a house's database, beside its server: what time or an operator would start is started by the test. */
export async function claimsBeside(cleanup: Cleanup, house: ReplicatingHouse) {
  const secret = new InstanceSecret(house.instance.secret);
  const database = cleanup.own(await Database.open({ url: house.instance.databaseUrl, secret, poolSize: 3, statementTimeoutMs: 10_000 }), (opened) => opened.close());
  const events = cleanup.own(new EventHub(database.workerUrl, pino({ level: 'silent' })), (opened) => opened.close());
  const settings = new SettingsStore(database, events);
  const { code } = await settings.load();
  await events.start();
  const { clock } = house.server;
  const directory = new LinkDirectory(database, secret, clock, events);
  await directory.fresh();
  const partners = cleanup.own(new PartnerClient(clock, code), (opened) => opened.close());
  const limits = { number: 500, days: 31, horizonDays: 1_000 };
  return { database, ...composeClaims({ database, directory, partners, events, settings, audit: new AuditService(), clock, code, limits, hasGreeted: () => true }) };
}
