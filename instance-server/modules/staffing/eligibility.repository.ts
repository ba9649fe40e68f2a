import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../platform/database/database.js';
import type { TimeRange } from '../../platform/time.js';
import type { AgeGroup } from '../catalogs/index.js';
import type { LimitMeasure } from './eligibility.type.js';
import type { LimitPeriod, Period } from './limit-periods.js';

/** What a guide is wanted for. */
export interface Wanted extends TimeRange {
  /** The booking it is part of; its own share in limits is not counted twice. */
  bookingId: string | null;
  offerId: string;
  language: string | null;
  ageGroup: AgeGroup | null;
}

export interface CandidateFilter {
  guideIds?: readonly string[] | null;
  assignedToOffer?: boolean | null;
  active?: boolean | null;
}

/** What the house's records say of a guide. Of an offer he may not lead he is not released for anything, and nothing is missing. */
export interface Candidate {
  id: string;
  lastName: string;
  firstName: string;
  active: boolean;
  spoken: string[];
  assignedToOffer: boolean;
  releasedLanguages: string[] | null;
  releasedAgeGroups: AgeGroup[] | null;
  speaks: boolean;
  languageReleased: boolean;
  ageGroupReleased: boolean;
  minutesInWeek: number;
  /** 0, or 1 when records or an own booking at that time rule him out. */
  ruledOut: number;
}

export interface ExceededLimit {
  guideId: string;
  period: LimitPeriod;
  measure: LimitMeasure;
  limit: number;
  count: number;
  start: Date;
  end: Date;
}

/** Whether one of the tags is the language wanted, with or without a region or script more on either side. */
const includesLanguage = (tags: RawBuilder<unknown>, wanted: string | null): RawBuilder<boolean> =>
  wanted === null
    ? sql<boolean>`true`
    : sql<boolean>`exists (select 1 from unnest(${tags}) as t (tag) where starts_with(${wanted} || '-', t.tag || '-') or starts_with(t.tag || '-', ${wanted} || '-'))`;

/** Minutes of an interval that lie within another, which it intersects. Of null it is all of the other: the caller leaves those out. */
const minutesWithin = (start: string, end: string, from: RawBuilder<unknown>, to: RawBuilder<unknown>) =>
  sql`extract(epoch from least(${sql.ref(end)}, ${to}) - greatest(${sql.ref(start)}, ${from})) / 60`;

/** SQL of eligibility: what the house's own tables decide, and the times of foreign bookings through their function alone. */
export const eligibilityRepository = {
  /**
   * Guides in the order of the ranking, as far as records decide it: who is not ruled out, least minutes in the week, in which the time
   * wanted begins, name, id. `after` is such a position. What all guides do in that time is read at once, by its index: asked guide by
   * guide it would take a large house half a second.
   */
  async ranked(tx: Tx, wanted: Wanted, week: TimeRange, filter: CandidateFilter, limit: number, after: string[] | undefined): Promise<Candidate[]> {
    const { bookingId, offerId, language, ageGroup } = wanted;
    const speaks = includesLanguage(sql`g.languages`, language);
    const languageReleased = sql<boolean>`(o.guide_id is null or o.languages is null or ${includesLanguage(sql`o.languages`, language)})`;
    const ageGroupReleased = ageGroup === null ? sql<boolean>`true` : sql<boolean>`(o.guide_id is null or o.age_groups is null or ${ageGroup} = any (o.age_groups))`;
    const ofGuides = (column: string) => (filter.guideIds ? sql`and ${sql.ref(column)} = any (${[...filter.guideIds]}::uuid[])` : sql``);
    const until = new Date(Math.max(week.end.getTime(), wanted.end.getTime()));
    const conditions = [
      ...(filter.active === null || filter.active === undefined ? [] : [sql`g.active = ${filter.active}`]),
      ...(filter.assignedToOffer === null || filter.assignedToOffer === undefined ? [] : [sql`(o.guide_id is not null) = ${filter.assignedToOffer}`]),
    ];
    const position = after
      ? sql`where (ruled_out, minutes_in_week, last_name, first_name, id) > (${after[0]}::int, ${after[1]}::int, ${after[2]}, ${after[3]}, ${after[4]}::uuid)`
      : sql``;
    const { rows } = await sql<Record<string, unknown>>`
      select * from (
        select q.*, case when q.active and q.assigned and q.speaks and q.language_released and q.age_group_released and not q.booked then 0 else 1 end as ruled_out
        from (
          select g.id, g.last_name, g.first_name, g.active, g.languages, o.guide_id is not null as assigned, o.languages as released_languages, o.age_groups as released_age_groups,
            ${speaks} as speaks, ${languageReleased} as language_released, ${ageGroupReleased} as age_group_released,
            coalesce(w.booked, false) as booked, coalesce(ceil(w.minutes), 0)::int as minutes_in_week
          from guide g
          left join guide_offer o on o.guide_id = g.id and o.offer_id = ${offerId}
          left join (
            select a.guide_id, bool_or(tstzrange(a.start_at, a.end_at) && tstzrange(${wanted.start}, ${wanted.end})) as booked,
              sum(${minutesWithin('a.start_at', 'a.end_at', sql`${week.start}`, sql`${week.end}`)})
                filter (where a.kind = 'BOOKING' and a.booking_id is distinct from ${bookingId}::uuid and a.start_at < ${week.end} and a.end_at > ${week.start}) as minutes
            from guide_assignment a
            where a.ended_at is null and tstzrange(a.start_at, a.end_at) && tstzrange(${week.start}, ${until}) ${ofGuides('a.guide_id')}
            group by a.guide_id
          ) w on w.guide_id = g.id
          where ${conditions.length > 0 ? sql.join(conditions, sql` and `) : sql`true`} ${ofGuides('g.id')}
        ) q
      ) ranked
      ${position}
      order by ruled_out, minutes_in_week, last_name, first_name, id
      limit ${limit}`.execute(tx);
    return rows.map((row) => ({
      id: row.id as string,
      lastName: row.last_name as string,
      firstName: row.first_name as string,
      active: row.active as boolean,
      spoken: row.languages as string[],
      assignedToOffer: row.assigned as boolean,
      releasedLanguages: row.released_languages as string[] | null,
      releasedAgeGroups: row.released_age_groups as AgeGroup[] | null,
      speaks: row.speaks as boolean,
      languageReleased: row.language_released as boolean,
      ageGroupReleased: row.age_group_released as boolean,
      minutesInWeek: row.minutes_in_week as number,
      ruledOut: row.ruled_out as number,
    }));
  },

  /**
   * Limits that would be exceeded with what is wanted, of each the first period. Own bookings count, not blocks; what is done
   * elsewhere counts where the guide wants it to, each foreign entry as a booking: what it is, is not known here.
   */
  async exceededLimits(tx: Tx, guideIds: readonly string[], wanted: Wanted, periods: readonly Period[]): Promise<ExceededLimit[]> {
    const from = new Date(Math.min(...periods.map(({ start }) => start.getTime())));
    const to = new Date(Math.max(...periods.map(({ end }) => end.getTime())));
    const { rows } = await sql<{ guide_id: string; unit: LimitPeriod; measure: LimitMeasure; most: number; total: number; start_at: Date; end_at: Date }>`
      with period as (
        select * from unnest(${periods.map(({ unit }) => unit)}::text[], ${periods.map(({ start }) => start)}::timestamptz[], ${periods.map(({ end }) => end)}::timestamptz[]) as p (unit, start_at, end_at)
      ), limited as (
        select l.* from guide_limits l where l.guide_id = any (${[...guideIds]}::uuid[])
      ), taken as (
        select a.guide_id, a.booking_id::text as booking, a.start_at, a.end_at
        from guide_assignment a join limited l on l.guide_id = a.guide_id
        where a.ended_at is null and a.kind = 'BOOKING' and tstzrange(a.start_at, a.end_at) && tstzrange(${from}, ${to})
        union all
        select f.guide_id, 'foreign ' || row_number() over (), f.start_at, f.end_at
        from foreign_times(array(select guide_id from limited where counts_foreign_bookings), ${from}, ${to}) f
      ), counted as (
        select l.guide_id, p.unit, p.start_at, p.end_at,
          coalesce(sum(${minutesWithin('t.start_at', 't.end_at', sql`p.start_at`, sql`p.end_at`)}) filter (where t.guide_id is not null), 0)
            + extract(epoch from least(${wanted.end}::timestamptz, p.end_at) - greatest(${wanted.start}::timestamptz, p.start_at)) / 60 as minutes,
          count(distinct t.booking) filter (where t.booking is distinct from ${wanted.bookingId}::text) + 1 as bookings
        from limited l cross join period p
        left join taken t on t.guide_id = l.guide_id and t.start_at < p.end_at and t.end_at > p.start_at
        group by l.guide_id, p.unit, p.start_at, p.end_at
      )
      select distinct on (c.guide_id, m.rank) c.guide_id, c.unit, m.measure, m.most, ceil(m.total)::int as total, c.start_at, c.end_at
      from counted c join limited l on l.guide_id = c.guide_id
      cross join lateral (values
        (1, 'DAY', 'MINUTES', l.minutes_per_day, c.minutes), (2, 'DAY', 'BOOKINGS', l.bookings_per_day, c.bookings),
        (3, 'WEEK', 'MINUTES', l.minutes_per_week, c.minutes), (4, 'WEEK', 'BOOKINGS', l.bookings_per_week, c.bookings),
        (5, 'MONTH', 'MINUTES', l.minutes_per_month, c.minutes), (6, 'MONTH', 'BOOKINGS', l.bookings_per_month, c.bookings)
      ) as m (rank, unit, measure, most, total)
      where m.unit = c.unit and m.total > m.most
      order by c.guide_id, m.rank, c.start_at`.execute(tx);
    return rows.map((row) => ({ guideId: row.guide_id, period: row.unit, measure: row.measure, limit: row.most, count: row.total, start: row.start_at, end: row.end_at }));
  },
};
