import { sql } from 'kysely';
import type { Database } from '../../platform/database/database.js';
import type { Instant, TimeRange } from '../../platform/time.js';

/** A living assignment in full, as the calendar functions of the database give it. */
export interface CalendarRow {
  guide_id: string;
  id: string;
  start_at: Instant;
  end_at: Instant;
  offer_title: string;
  booking_id: string;
  customer_name: string;
  customer_email: string | null;
  customer_phone: string | null;
  party_size: number | null;
  language: string | null;
  notes: string | null;
}

/** An assignment as it may leave the instance. */
export interface RedactedRow {
  id: string;
  start_at: Instant;
  end_at: Instant;
  offer_title: string | null;
}

const OWN_CALENDAR = {
  name: 'calendar_of_guide',
  text: 'select id, start_at, end_at, offer_title, booking_id, customer_name, customer_email, customer_phone, party_size, language, notes from calendar_of_guide($1, $2, $3)',
};
const OWN_ENTRY = { name: 'calendar_entry', text: 'select * from calendar_entry($1, $2)' };
const REDACTED_CALENDAR = {
  name: 'partner_calendar',
  text: `select id, start_at, end_at, offer_title from partner_assignment
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
  async asGuide(database: Database, guideId: string, { start, end }: TimeRange): Promise<CalendarRow[]> {
    return (await database.guide.query<CalendarRow>({ ...OWN_CALENDAR, values: [guideId, start, end] })).rows;
  },

  async asStaff(database: Database, guideIds: readonly string[], { start, end }: TimeRange): Promise<CalendarRow[]> {
    const query = sql<CalendarRow>`select * from calendar_of_guides(${[...guideIds]}::uuid[], ${start}, ${end})`;
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
