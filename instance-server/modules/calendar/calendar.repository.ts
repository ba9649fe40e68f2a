import { sql } from 'kysely';
import type { Database } from '../../platform/database/database.js';
import type { Instant, TimeRange } from '../../platform/time.js';

/** A living assignment of this house in full, as the calendar functions of the database give it. */
export interface CalendarRow {
  id: string;
  start_at: Instant;
  end_at: Instant;
  offer_title: string | null;
  kind: 'BOOKING' | 'BLOCK';
  booking_id: string | null;
  customer_name: string | null;
  customer_email: string | null;
  customer_phone: string | null;
  party_size: number | null;
  language: string | null;
  notes: string | null;
}

/** A copy of what a linked house holds. */
export interface ForeignRow {
  id: string;
  start_at: Instant;
  end_at: Instant;
  offer_title: string | null;
  kind: 'BOOKING' | 'BLOCK';
  partner_code: string;
  partner_name: string;
  partner_url: string;
  /** Until when it is known to be true. */
  as_of: Date;
  disputed: boolean;
}

/** What a guide himself is shown; of this house where `partner_code` is null. */
export type OwnRow = (CalendarRow & { partner_code: null }) | ForeignRow;

/** An assignment as it may leave the instance. */
export interface RedactedRow {
  id: string;
  start_at: Instant;
  end_at: Instant;
  offer_title: string | null;
  kind: 'BOOKING' | 'BLOCK';
}

/** A coupling over which everything has come, and until when. */
export interface ReplicaRow {
  coupling_id: string;
  complete_at: Date;
}

const ENTRY_COLUMNS = 'id, start_at, end_at, offer_title, kind, booking_id, customer_name, customer_email, customer_phone, party_size, language, notes';
const OWN_CALENDAR = {
  name: 'calendar_of_guide',
  text: `select ${ENTRY_COLUMNS}, partner_code, partner_name, partner_url, as_of, disputed from calendar_of_guide($1, $2, $3)`,
};
const OWN_ENTRY = { name: 'calendar_entry', text: `select ${ENTRY_COLUMNS} from calendar_entry($1, $2)` };
const FOREIGN_ENTRY = {
  name: 'foreign_bookings_of_id',
  text: 'select id, start_at, end_at, offer_title, kind, partner_code, partner_name, partner_url, as_of, disputed, ended from foreign_bookings_of_id($1, $2)',
};
const REDACTED_CALENDAR = {
  name: 'partner_calendar',
  text: `select id, start_at, end_at, offer_title, kind from partner_assignment
         where coupling_id = $1 and link_id = $2 and partner_code = $3 and global_id = $4
           and not ended and start_at < $6 and end_at > $5
         order by start_at, id`,
};

export interface GrantedCalendar {
  couplingId: string;
  linkId: string;
  partnerCode: string;
  globalId: string;
}

/** SQL of calendars. Each viewer has its own login role; the method's name says which. */
export const calendarRepository = {
  /** With what linked houses have told, by start and then id. */
  async asGuide(database: Database, guideId: string, { start, end }: TimeRange): Promise<OwnRow[]> {
    return (await database.guide.query<OwnRow>({ ...OWN_CALENDAR, values: [guideId, start, end] })).rows;
  },

  async asStaff(database: Database, guideIds: readonly string[], { start, end }: TimeRange): Promise<(CalendarRow & { guide_id: string })[]> {
    const query = sql<CalendarRow & { guide_id: string }>`select * from calendar_of_guides(${[...guideIds]}::uuid[], ${start}, ${end})`;
    return (await query.execute(database.app.sql)).rows;
  },

  async asPartner(database: Database, { couplingId, linkId, partnerCode, globalId }: GrantedCalendar, { start, end }: TimeRange): Promise<RedactedRow[]> {
    const values = [couplingId, linkId, partnerCode, globalId, start, end];
    return (await database.partner.query<RedactedRow>({ ...REDACTED_CALENDAR, values })).rows;
  },

  async entryAsGuide(database: Database, guideId: string, assignmentId: string): Promise<CalendarRow | undefined> {
    return (await database.guide.query<CalendarRow>({ ...OWN_ENTRY, values: [guideId, assignmentId] })).rows[0];
  },

  async entryAsStaff(database: Database, guideId: string, assignmentId: string): Promise<CalendarRow | undefined> {
    return (await sql<CalendarRow>`select * from calendar_entry(${guideId}, ${assignmentId})`.execute(database.app.sql)).rows[0];
  },

  /** Living and ended ones; none when they were removed with their coupling. */
  async foreignEntries(database: Database, guideId: string, id: string): Promise<(ForeignRow & { ended: boolean })[]> {
    return (await database.guide.query<ForeignRow & { ended: boolean }>({ ...FOREIGN_ENTRY, values: [guideId, id] })).rows;
  },

  /**
   * As the worker: active couplings whose copies are whole. Those of a paused one are not: what changes meanwhile waits. Nor are those
   * that were last whole before the guide was coupled.
   */
  async completeReplicas(database: Database): Promise<ReplicaRow[]> {
    const rows = await database.worker.sql
      .selectFrom('coupling')
      .innerJoin('sync_peer', 'sync_peer.link_id', 'coupling.link_id')
      .select(['coupling.id as coupling_id', 'sync_peer.complete_at'])
      .where('coupling.state', '=', 'ACTIVE')
      .where('coupling.paused_here', '=', false)
      .where('coupling.paused_there', '=', false)
      .whereRef('sync_peer.complete_at', '>', 'coupling.since')
      .execute();
    return rows as ReplicaRow[];
  },

  /** Whether this is the first time that this session follows this calendar. */
  async firstSubscription(database: Database, sessionId: string, guideId: string): Promise<boolean> {
    const inserted = await database.app.sql
      .insertInto('session_subscription')
      .values({ session_id: sessionId, guide_id: guideId })
      .onConflict((conflict) => conflict.columns(['session_id', 'guide_id']).doNothing())
      .returning('session_id')
      .executeTakeFirst();
    return inserted !== undefined;
  },
};
