import { sql } from 'kysely';
import type { Database, Tx } from '../../platform/database/database.js';
import type { Instant, TimeRange } from '../../platform/time.js';
import type { GuideScope } from '../guides/index.js';
import type { Absence, AvailabilityForeignBooking, AvailabilityRule, Holiday } from './availability.type.js';
import type { RulePattern } from './computation.js';
import type { Entry, Span } from './spans.js';

type OfGuide<T> = T & { guideId: string };

/** A foreign booking as the guide himself sees it. */
export type OwnForeignBooking = Span & Pick<AvailabilityForeignBooking, 'offerTitle' | 'instance'>;

interface OwnForeignRow {
  start_at: Instant;
  end_at: Instant;
  offer_title: string | null;
  partner_code: string;
  partner_name: string;
  partner_url: string;
  disputed: boolean;
}

const OWN_FOREIGN = {
  name: 'availability_foreign_bookings',
  text: 'select start_at, end_at, offer_title, partner_code, partner_name, partner_url, disputed from foreign_bookings_of_guide($1, $2, $3)',
};

/** Always in the statement, so that a guide who may not be seen costs the same as one who does not exist. */
export function withinScope(scope: GuideScope, column: string) {
  switch (scope.kind) {
    case 'ALL':
      return sql<boolean>`true`;
    case 'ONE':
      return sql<boolean>`${sql.ref(column)} = ${scope.guideId}`;
    default:
      return sql<boolean>`false`;
  }
}

const intersecting = ({ start, end }: TimeRange) => sql<boolean>`tstzrange(start_at, end_at) && tstzrange(${start}, ${end})`;
const instants = (dates: readonly string[]) => sql<never>`${[...dates]}::date[]`;
const toSpan = (row: { start_at: Date; end_at: Date }): Span => ({ start: row.start_at.getTime(), end: row.end_at.getTime() });

/** Days as text: the driver would make instants of them, in whatever zone the process runs. */
const RULE_COLUMNS = [
  'id',
  'guide_id',
  'origin',
  'time_zone',
  'start_time',
  'duration_minutes',
  'rrule',
  sql<string>`valid_from::text`.as('valid_from'),
  sql<string | null>`valid_until::text`.as('valid_until'),
  sql<string[]>`exdates::text[]`.as('exdates'),
  'skips_holidays',
  sql<string[]>`holidays::text[]`.as('holidays'),
  'version',
  'updated_at',
] as const;

interface RuleRow {
  id: string;
  guide_id: string;
  origin: string;
  time_zone: string;
  start_time: string;
  duration_minutes: number;
  rrule: string;
  valid_from: string;
  valid_until: string | null;
  exdates: string[];
  skips_holidays: boolean;
  holidays: string[];
  version: number;
  updated_at: Date;
}

const toRule = (row: RuleRow): OfGuide<AvailabilityRule> => ({
  id: row.id,
  guideId: row.guide_id,
  origin: row.origin,
  timeZone: row.time_zone,
  startTime: row.start_time,
  durationMinutes: row.duration_minutes,
  rrule: row.rrule,
  validFrom: row.valid_from,
  validUntil: row.valid_until,
  exceptDates: row.exdates,
  skipsHolidays: row.skips_holidays,
  holidays: row.holidays,
  version: row.version,
  updatedAt: row.updated_at,
});

const toColumns = (rule: RulePattern) => ({
  time_zone: rule.timeZone,
  start_time: rule.startTime,
  duration_minutes: rule.durationMinutes,
  rrule: rule.rrule,
  valid_from: rule.validFrom,
  valid_until: rule.validUntil,
  exdates: instants(rule.exceptDates),
  skips_holidays: rule.skipsHolidays,
});

/** SQL of availability. */
export const availabilityRepository = {
  async rules(tx: Tx, guideIds: readonly string[]): Promise<OfGuide<AvailabilityRule>[]> {
    const rows = await tx
      .selectFrom('availability_rule')
      .select(RULE_COLUMNS)
      .where('guide_id', 'in', [...guideIds])
      .where('deleted', '=', false)
      .orderBy('availability_rule.valid_from')
      .orderBy('start_time')
      .orderBy('id')
      .execute();
    return rows.map(toRule);
  },

  async entries(tx: Tx, guideIds: readonly string[], range: TimeRange): Promise<OfGuide<Entry>[]> {
    const rows = await tx
      .selectFrom('individual_availability')
      .select(['guide_id', 'start_at', 'end_at', 'available', 'note'])
      .where('guide_id', 'in', [...guideIds])
      .where(intersecting(range))
      .orderBy('start_at')
      .execute();
    return rows.map((row) => ({ guideId: row.guide_id, start: row.start_at.getTime(), end: row.end_at.getTime(), available: row.available, note: row.note }));
  },

  async absences(tx: Tx, guideIds: readonly string[], range: TimeRange): Promise<OfGuide<Absence>[]> {
    const rows = await tx
      .selectFrom('absence')
      .select(['id', 'guide_id', 'start_at', 'end_at', 'reason', 'version'])
      .where('guide_id', 'in', [...guideIds])
      .where('start_at', '<', range.end)
      .where('end_at', '>', range.start)
      .orderBy('start_at')
      .orderBy('id')
      .execute();
    return rows.map((row) => ({ id: row.id, guideId: row.guide_id, start: row.start_at, end: row.end_at, reason: row.reason, version: row.version }));
  },

  /** Living assignments, blocks among them. */
  async taken(tx: Tx, guideIds: readonly string[], range: TimeRange): Promise<OfGuide<{ isBlock: boolean; span: Span }>[]> {
    const rows = await tx
      .selectFrom('guide_assignment')
      .select(['guide_id', 'start_at', 'end_at', 'kind'])
      .where('guide_id', 'in', [...guideIds])
      .where('ended_at', 'is', null)
      .where(intersecting(range))
      .execute();
    return rows.map((row) => ({ guideId: row.guide_id, isBlock: row.kind === 'BLOCK', span: toSpan(row) }));
  },

  /** When linked houses have taken them, and nothing else of it: all that this role can read. */
  async foreignTimes(tx: Tx, guideIds: readonly string[], { start, end }: TimeRange): Promise<OfGuide<Span>[]> {
    const { rows } = await sql<{ guide_id: string; start_at: Date; end_at: Date }>`select * from foreign_times(${[...guideIds]}::uuid[], ${start}, ${end})`.execute(tx);
    return rows.map((row) => ({ guideId: row.guide_id, start: row.start_at.getTime(), end: row.end_at.getTime() }));
  },

  /** What takes time from the guide who asks; what he disputes does not. */
  async foreignBookingsAsGuide(database: Database, guideId: string, { start, end }: TimeRange): Promise<OwnForeignBooking[]> {
    const { rows } = await database.guide.query<OwnForeignRow>({ ...OWN_FOREIGN, values: [guideId, start, end] });
    return rows
      .filter(({ disputed }) => !disputed)
      .map((row) => ({
        start: new Date(row.start_at).getTime(),
        end: new Date(row.end_at).getTime(),
        offerTitle: row.offer_title,
        instance: { code: row.partner_code, name: row.partner_name, url: row.partner_url, logo: null, homepage: null },
      }));
  },

  /** The guide whose availability is to change. Before anything else of his: the written lock order. */
  async lockGuide(tx: Tx, scope: GuideScope, guideId: string): Promise<boolean> {
    const row = await tx.selectFrom('guide').select('id').where('id', '=', guideId).where(withinScope(scope, 'id')).forNoKeyUpdate().executeTakeFirst();
    return row !== undefined;
  },

  /** Whose a record is; undefined when there is none within the scope. */
  async guideOf(tx: Tx, scope: GuideScope, table: 'availability_rule' | 'absence', id: string): Promise<string | undefined> {
    const row = await tx.selectFrom(table).select('guide_id').where('id', '=', id).where(withinScope(scope, 'guide_id')).executeTakeFirst();
    return row?.guide_id;
  },

  async lockRule(tx: Tx, id: string): Promise<OfGuide<AvailabilityRule> | undefined> {
    const row = await tx.selectFrom('availability_rule').select(RULE_COLUMNS).where('id', '=', id).where('deleted', '=', false).forUpdate().executeTakeFirst();
    return row && toRule(row);
  },

  async rule(tx: Tx, scope: GuideScope, id: string): Promise<AvailabilityRule | undefined> {
    const row = await tx.selectFrom('availability_rule').select(RULE_COLUMNS).where('id', '=', id).where('deleted', '=', false).where(withinScope(scope, 'guide_id')).executeTakeFirst();
    return row && toRule(row);
  },

  async insertRule(tx: Tx, rule: RulePattern & { id: string; guideId: string; origin: string }, stamp: string, now: Date): Promise<void> {
    await tx
      .insertInto('availability_rule')
      .values({ id: rule.id, guide_id: rule.guideId, origin: rule.origin, ...toColumns(rule), holidays: instants(rule.holidays), stamp, holidays_stamp: stamp, created_at: now, updated_at: now })
      .execute();
  },

  /** Everything but the holidays, which are its origin's. */
  async changeRule(tx: Tx, id: string, change: RulePattern | 'deleted', stamp: string, now: Date): Promise<void> {
    const columns = change === 'deleted' ? { deleted: true } : toColumns(change);
    await tx
      .updateTable('availability_rule')
      .set((eb) => ({ ...columns, stamp, updated_at: now, version: eb('version', '+', 1) }))
      .where('id', '=', id)
      .execute();
  },

  /** Rules of this origin, deleted ones too, since a later change may be on its way; locked in the order of their ids, their guides before them. */
  async lockRulesOf(tx: Tx, origin: string): Promise<string[]> {
    const guides = tx.selectFrom('availability_rule').select('guide_id').where('origin', '=', origin);
    await tx.selectFrom('guide').select('id').where('id', 'in', guides).orderBy('id').forNoKeyUpdate().execute();
    const rows = await tx.selectFrom('availability_rule').select('id').where('origin', '=', origin).orderBy('id').forUpdate().execute();
    return rows.map(({ id }) => id);
  },

  async setRuleHolidays(tx: Tx, ids: readonly string[], holidays: readonly string[], stamp: string, now: Date): Promise<void> {
    await tx
      .updateTable('availability_rule')
      .set((eb) => ({ holidays: instants(holidays), holidays_stamp: stamp, updated_at: now, version: eb('version', '+', 1) }))
      .where('id', 'in', [...ids])
      .execute();
  },

  async replaceEntries(tx: Tx, guideId: string, range: TimeRange, entries: readonly (Entry & { id: string })[]): Promise<void> {
    await tx.deleteFrom('individual_availability').where('guide_id', '=', guideId).where('start_at', '<=', range.end).where('end_at', '>=', range.start).execute();
    if (entries.length === 0) return;
    await tx
      .insertInto('individual_availability')
      .values(entries.map(({ id, start, end, available, note }) => ({ id, guide_id: guideId, start_at: new Date(start), end_at: new Date(end), available, note })))
      .execute();
  },

  /** Those that intersect or touch the range. */
  async entriesAround(tx: Tx, guideId: string, range: TimeRange): Promise<Entry[]> {
    const rows = await tx
      .selectFrom('individual_availability')
      .select(['start_at', 'end_at', 'available', 'note'])
      .where('guide_id', '=', guideId)
      .where('start_at', '<=', range.end)
      .where('end_at', '>=', range.start)
      .orderBy('start_at')
      .execute();
    return rows.map((row) => ({ start: row.start_at.getTime(), end: row.end_at.getTime(), available: row.available, note: row.note }));
  },

  async holidays(tx: Tx, range?: { from: string; until: string }): Promise<Holiday[]> {
    let query = tx.selectFrom('holiday').select([sql<string>`date::text`.as('date'), 'name']);
    if (range) query = query.where(sql<boolean>`date between ${range.from}::date and ${range.until}::date`);
    return query.orderBy('holiday.date').execute();
  },
};
