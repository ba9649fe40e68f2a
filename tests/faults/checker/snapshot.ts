import type { Client } from 'pg';

/*
 * What stands in one house's database, read by its superuser with statements of our own.
 */

export interface BookingRow {
  id: string;
  offerId: string;
  state: string;
  start: string;
  end: string;
  version: number;
  notes: string | null;
  /** How many guides it needs. */
  guideDemand: number;
}

export interface RequestRow {
  id: string;
  bookingId: string;
  guideId: string;
  offerId: string;
  start: string;
  end: string;
  state: string;
  /** Why it was withdrawn. */
  withdrawal: string | null;
}

export interface AssignmentRow {
  id: string;
  guideId: string;
  bookingId: string | null;
  start: string;
  end: string;
  ended: boolean;
  version: number;
  claimVersion: number;
  kind: string;
  verification: string;
  note: string | null;
}

export interface ForeignRow {
  couplingId: string;
  id: string;
  guideId: string;
  incarnation: number;
  version: number;
  start: string;
  end: string;
  title: string | null;
  kind: string;
  ended: boolean;
  /** The guide says that it is none of his. */
  disputed: boolean;
}

export interface OfferRow {
  id: string;
  title: string;
  version: number;
}

export interface GuideRow {
  id: string;
  globalId: string | null;
  /** Code of the house that decides who may count on him. */
  keeper: string | null;
  firstName: string;
  lastName: string;
  email: string | null;
  phone: string | null;
  languages: string;
  /** The account's holder. */
  bankData: string | null;
  /** Whether this house may tell his other houses: true or false, as text. */
  sharesBankData: string;
}

export interface StampRow {
  guideId: string;
  field: string;
  stamp: string;
}

export interface RuleRow {
  id: string;
  guideId: string;
  origin: string;
  stamp: string;
  deleted: boolean;
  startTime: string;
  validFrom: string;
  version: number;
  /** Days of its origin, in order. */
  holidays: string;
  /** Every other column that travels, as one text. */
  rest: string;
}

export interface EntryRow {
  id: string;
  guideId: string;
}

export interface ClaimRow {
  id: string;
  guideId: string;
  holder: string;
  incarnation: number;
  version: number;
  start: string;
  end: string;
  state: string;
}

export interface CouplingRow {
  id: string;
  guideId: string | null;
  state: string;
  partner: string;
}

/** A key that calls between two houses are signed with. */
export interface KeyRow {
  kid: string;
  partner: string;
  /** OWN or PARTNER. */
  side: string;
  isInUse: boolean;
  /** Another has taken its place. */
  runsOut: boolean;
}

export interface Snapshot {
  code: string;
  blockTitle: string;
  incarnation: number;
  bookings: BookingRow[];
  requests: RequestRow[];
  assignments: AssignmentRow[];
  foreign: ForeignRow[];
  offers: OfferRow[];
  guides: GuideRow[];
  stamps: StampRow[];
  rules: RuleRow[];
  /** Of this house, in order. */
  holidays: string[];
  /** Individual availabilities and absences. */
  entries: EntryRow[];
  claims: ClaimRow[];
  couplings: CouplingRow[];
  /** Own assignments that a guide disputes, as his other houses have told. */
  disputes: { couplingId: string; assignmentId: string }[];
  keys: KeyRow[];
  /** Rows that still wait for somebody. */
  outbox: { couplingId: string; kind: string; recordId: string; refusedCode: string | null }[];
}

const time = (column: string): string => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const interval = `${time('start_at')} as start, ${time('end_at')} as "end"`;

const STATEMENTS = {
  bookings: `select id, offer_id as "offerId", state, ${interval}, version, notes, guide_demand as "guideDemand" from booking`,
  requests: `select id, booking_id as "bookingId", guide_id as "guideId", offer_id as "offerId", ${interval}, state, withdrawal from guide_request`,
  assignments: `select id, guide_id as "guideId", booking_id as "bookingId", ${interval}, ended_at is not null as ended, version,
                       claim_version as "claimVersion", kind, verification, block_note as note from guide_assignment`,
  foreign: `select coupling_id as "couplingId", id, guide_id as "guideId", incarnation, version, ${interval}, offer_title as title, kind, ended, disputed_at is not null as disputed from foreign_booking`,
  offers: 'select id, title, version from offer',
  guides: `select id, global_id as "globalId", claim_keeper as keeper, first_name as "firstName", last_name as "lastName", email, phone, array_to_string(languages, ' ') as languages, account_holder as "bankData", shares_bank_data::text as "sharesBankData" from guide`,
  stamps: 'select guide_id as "guideId", field, stamp from profile_stamp',
  rules: `select id, guide_id as "guideId", origin, stamp, deleted, start_time as "startTime", valid_from::text as "validFrom", version,
                 array_to_string(array(select d from unnest(holidays) d order by d), ' ') as holidays, jsonb_build_array(time_zone, duration_minutes, rrule, valid_until, exdates, skips_holidays, holidays, holidays_stamp)::text as rest from availability_rule`,
  holidays: 'select date::text as date from holiday order by date',
  entries: 'select id, guide_id as "guideId" from individual_availability union all select id, guide_id from absence',
  claims: `select id, guide_id as "guideId", holder, incarnation, version, ${interval}, state from claim where state <> 'RELEASED'`,
  couplings: 'select c.id, c.guide_id as "guideId", c.state, l.partner_code as partner from coupling c join link l on l.id = c.link_id',
  disputes: 'select coupling_id as "couplingId", assignment_id as "assignmentId" from assignment_dispute',
  keys: `select k.kid, l.partner_code as partner, k.side, k.in_use_since is not null as "isInUse", k.accepted_until is not null as "runsOut"
         from link_key k join link l on l.id = k.link_id where l.state = 'ACTIVE'`,
  outbox: 'select coupling_id as "couplingId", kind, record_id as "recordId", refused_code as "refusedCode" from outbox',
} as const;

/** One consistent view of one database. */
export async function takeSnapshot(client: Client): Promise<Snapshot> {
  await client.query('begin isolation level repeatable read read only');
  try {
    const read = async <Row>(statement: string): Promise<Row[]> => (await client.query(statement)).rows as Row[];
    const [settings] = await read<{ code: string; blockTitle: string; incarnation: number }>(
      'select s.code, s.block_title as "blockTitle", y.incarnation from settings s cross join sync_state y',
    );
    if (!settings) throw new Error('this database has no settings');
    return {
      ...settings,
      bookings: await read<BookingRow>(STATEMENTS.bookings),
      requests: await read<RequestRow>(STATEMENTS.requests),
      assignments: await read<AssignmentRow>(STATEMENTS.assignments),
      foreign: await read<ForeignRow>(STATEMENTS.foreign),
      offers: await read<OfferRow>(STATEMENTS.offers),
      guides: await read<GuideRow>(STATEMENTS.guides),
      stamps: await read<StampRow>(STATEMENTS.stamps),
      rules: await read<RuleRow>(STATEMENTS.rules),
      holidays: (await read<{ date: string }>(STATEMENTS.holidays)).map(({ date }) => date),
      entries: await read<EntryRow>(STATEMENTS.entries),
      claims: await read<ClaimRow>(STATEMENTS.claims),
      couplings: await read<CouplingRow>(STATEMENTS.couplings),
      disputes: await read<Snapshot['disputes'][number]>(STATEMENTS.disputes),
      keys: await read<KeyRow>(STATEMENTS.keys),
      outbox: await read<Snapshot['outbox'][number]>(STATEMENTS.outbox),
    };
  } finally {
    await client.query('rollback');
  }
}
