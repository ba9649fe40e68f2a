import { type Selectable, sql } from 'kysely';
import { z } from 'zod';
import type { DB } from '../../entities.js';
import type { Tx } from '../../platform/database/database.js';
import { Refusal } from '../../platform/errors/user-error.js';
import { isLater, type Stamps } from '../../platform/stamps.js';
import type { AuditService } from '../audit/index.js';
import { checkRule, RULE_LIMITS, type RulePattern } from '../availability/index.js';
import type { KnownLink } from '../links/index.js';
import { ItemRefusal, type Receipt, type RecordName, type ReplicatedKind } from '../replication/index.js';
import { giverOf, toldTo, verdict } from './registers.js';
import { RuleComparison } from './comparisons.js';
import { checkStamps, latest, stamp } from './stamped.js';

/** Rules of one guide, deleted ones included, which stay: a partner must not fill the database with them. */
const MAX_RULES = 40 * RULE_LIMITS.rules;
/** Living ones that are this house's own: two houses that make some at once can come to more than one may enter. */
const MAX_GIVEN_BACK = 2 * RULE_LIMITS.rules;

const day = z.string().length(10);
const pattern = {
  timeZone: z.string().max(64),
  startTime: z.string().length(5),
  durationMinutes: z.int(),
  rrule: z.string().max(250),
  validFrom: day,
  validUntil: day.nullable(),
  exceptDates: z.array(day).max(RULE_LIMITS.exceptDates),
  skipsHolidays: z.boolean(),
};
const days = z.array(day).max(RULE_LIMITS.holidays);

/** What evaluation relies on holds for what partners send as for what people enter, and it is kept in the same form. */
function checked({ issues }: z.core.ParsePayload, given: RulePattern): RulePattern {
  try {
    return checkRule(given, 'rule');
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    issues.push({ code: 'custom', input: given });
    return z.NEVER;
  }
}

/** Holds for holidays alone. */
const EMPTY = { timeZone: 'UTC', startTime: '00:00', durationMinutes: 15, rrule: 'FREQ=DAILY', validFrom: '1970-01-01', validUntil: null, exceptDates: [], skipsHolidays: false };

const definition = z.union([
  z.strictObject({ stamp, deleted: z.literal(true) }),
  z.strictObject({ stamp, deleted: z.literal(false), ...pattern }).transform(({ stamp: given, deleted, ...said }, payload) => {
    const { holidays: _none, ...rest } = checked(payload, { ...said, holidays: [] });
    return { stamp: given, deleted, ...rest };
  }),
]);

/** When the guide is available by rule; no note, and nothing of what was set by hand. */
const schema = z.strictObject({
  kind: z.literal('RULE'),
  couplingId: z.uuid(),
  recordId: z.uuid(),
  /** The instance it was made in. */
  origin: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  definition: definition.optional(),
  /** The origin's alone. */
  holidays: z.strictObject({ stamp, days: days.transform((holidays, payload) => checked(payload, { ...EMPTY, holidays }).holidays) }).optional(),
});

export type RuleItem = z.infer<typeof schema>;
type Definition = z.infer<typeof definition>;

type RuleRow = Pick<
  Selectable<DB['availability_rule']>,
  'id' | 'guide_id' | 'origin' | 'stamp' | 'holidays_stamp' | 'lost_stamp' | 'deleted' | 'time_zone' | 'start_time' | 'duration_minutes' | 'rrule' | 'skips_holidays'
> & { valid_from: string; valid_until: string | null; exdates: string[]; holidays: string[] };

const rowsOf = async (tx: Tx, condition: ReturnType<typeof sql>): Promise<RuleRow[]> => {
  const { rows } = await sql<RuleRow>`
    select id, guide_id, origin, stamp, holidays_stamp, lost_stamp, deleted, time_zone, start_time, duration_minutes, rrule, skips_holidays,
      valid_from::text as valid_from, valid_until::text as valid_until, exdates::text[] as exdates, holidays::text[] as holidays
    from availability_rule where ${condition}`.execute(tx);
  return rows;
};

const definitionOf = (row: RuleRow): Definition =>
  row.deleted
    ? { stamp: row.stamp, deleted: true }
    : {
        stamp: row.stamp,
        deleted: false,
        timeZone: row.time_zone,
        startTime: row.start_time,
        durationMinutes: row.duration_minutes,
        rrule: row.rrule,
        validFrom: row.valid_from,
        validUntil: row.valid_until,
        exceptDates: row.exdates,
        skipsHolidays: row.skips_holidays,
      };

/** As the action log holds it. */
const facts = (given: Definition): Record<string, unknown> => {
  const { stamp: _stamp, ...rest } = given;
  return rest;
};

const dates = (given: readonly string[]) => sql`${[...given]}::date[]`;

/** Responsible for availability rules of coupled guides: made, changed and deleted in any of their houses, the last writer wins. */
export class RuleKind implements ReplicatedKind<RuleItem> {
  readonly kind = 'RULE';
  readonly order = 3;
  readonly whilePaused = false;
  readonly schema = schema;
  readonly comparison: RuleComparison;

  constructor(
    private readonly stamps: Stamps,
    private readonly audit: AuditService,
    private readonly code: string,
    /** Living rules that a partner may have of one guide here. */
    private readonly maxLiving: number,
  ) {
    this.comparison = new RuleComparison(this.kind, code);
  }

  async project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<RuleItem[]> {
    const couplings = await tx
      .selectFrom('coupling')
      .select(['id', 'guide_id'])
      .where('link_id', '=', link.id)
      .where('state', '=', 'ACTIVE')
      .where('id', 'in', [...new Set(records.map((record) => record.couplingId))])
      .execute();
    const guides = new Map(couplings.map((coupling) => [coupling.id, coupling.guide_id]));
    const rules = new Map((await rowsOf(tx, sql`id = any(${records.map((record) => record.recordId)}::uuid[])`)).map((row) => [row.id, row]));
    return records.flatMap(({ couplingId, recordId }): RuleItem[] => {
      const row = rules.get(recordId);
      if (!row || row.guide_id !== guides.get(couplingId)) return [];
      const { definition: said, holidays } = toldTo(
        { definition: { stamp: row.stamp, value: row }, holidays: { stamp: row.holidays_stamp, value: row } },
        this.code,
        link.partnerCode,
      );
      if (!said && !holidays) return [];
      return [
        {
          kind: this.kind,
          couplingId,
          recordId,
          origin: row.origin,
          ...(said && { definition: definitionOf(row) }),
          ...(holidays && { holidays: { stamp: row.holidays_stamp, days: row.holidays } }),
        },
      ];
    });
  }

  async apply(tx: Tx, receipt: Receipt, items: readonly RuleItem[]): Promise<undefined> {
    const stampsOf = ({ definition: said, holidays }: RuleItem): string[] => [said?.stamp, holidays?.stamp].filter((given) => given !== undefined);
    const guideOf = (item: RuleItem): string => receipt.couplings.get(item.couplingId)?.guideId ?? '';
    const held = new Map((await rowsOf(tx, sql`id = any(${items.map((item) => item.recordId)}::uuid[]) order by id for update`)).map((row) => [row.id, row]));
    for (const [index, item] of items.entries()) {
      checkStamps(stampsOf(item), index, receipt, this.code);
      const row = held.get(item.recordId.toLowerCase());
      const another = row && (row.guide_id !== guideOf(item) || row.origin !== item.origin);
      if (another || (item.holidays && giverOf(item.holidays.stamp) !== item.origin)) throw new ItemRefusal({ index, code: 'NOT_YOURS' });
    }
    let isNew = false;
    const revived: number[] = [];
    const gone = await this.#gone(tx, receipt, items, held, guideOf);
    for (const [index, item] of items.entries()) {
      if (gone.has(item)) continue;
      const row = held.get(item.recordId.toLowerCase());
      if (!row) isNew = true;
      if (item.definition?.deleted === false && (row?.deleted ?? true) && verdict(row?.stamp, item.definition.stamp) === 'WINS') revived.push(index);
      if (item.definition) await this.#define(tx, receipt, guideOf(item), item, item.definition, row);
      if (item.holidays) await this.#setHolidays(tx, receipt, guideOf(item), item, item.holidays, row);
    }
    if (isNew) await this.#checkNumber(tx, items, guideOf);
    if (revived.length > 0) await this.#checkLiving(tx, receipt, items, revived, guideOf);
    await this.stamps.observe(tx, latest(items.flatMap(stampsOf)));
  }

  /** What this house changed itself in a rule of a third one, and gave up when the coupling there ended: it does not come back with the change. */
  async #gone(tx: Tx, { link }: Receipt, items: readonly RuleItem[], held: ReadonlyMap<string, RuleRow>, guideOf: (item: RuleItem) => string): Promise<ReadonlySet<RuleItem>> {
    const given = items.filter(
      (item) => item.definition && giverOf(item.definition.stamp) === this.code && ![this.code, link.partnerCode].includes(item.origin) && !held.has(item.recordId.toLowerCase()),
    );
    if (given.length === 0) return new Set();
    const { rows } = await sql<{ guide_id: string; code: string }>`
      select c.guide_id, l.partner_code as code from coupling c join link l on l.id = c.link_id
      where c.guide_id = any(${[...new Set(given.map(guideOf))]}::uuid[])
      group by 1, 2 having bool_or(c.state = 'ENDED') and not bool_or(c.state = 'ACTIVE')`.execute(tx);
    const left = new Set(rows.map(({ guide_id, code }) => `${guide_id} ${code}`));
    return new Set(given.filter((item) => left.has(`${guideOf(item)} ${item.origin}`)));
  }

  async #define(tx: Tx, { link, now }: Receipt, guideId: string, { recordId, origin }: RuleItem, came: Definition, row: RuleRow | undefined): Promise<void> {
    const said = verdict(row?.stamp, came.stamp);
    if (said === 'KNOWN') return;
    const held = row && row.stamp !== '' ? facts(definitionOf(row)) : null;
    const differs = JSON.stringify(held) !== JSON.stringify(facts(came));
    const isTold = said === 'WINS' || isLater(came.stamp, row?.lost_stamp ?? '');
    if (said === 'LOSES') {
      await sql`update availability_rule set lost_stamp = greatest(lost_stamp collate "C", ${came.stamp}) where id = ${recordId}`.execute(tx);
    } else if (came.deleted) {
      await this.#make(tx, guideId, recordId, origin, now);
      await sql`update availability_rule set deleted = true, stamp = ${came.stamp}, version = version + ${Number(differs)}, updated_at = ${now} where id = ${recordId}`.execute(tx);
    } else {
      await this.#make(tx, guideId, recordId, origin, now);
      await sql`
        update availability_rule set deleted = false, stamp = ${came.stamp}, time_zone = ${came.timeZone}, start_time = ${came.startTime},
          duration_minutes = ${came.durationMinutes}, rrule = ${came.rrule}, valid_from = ${came.validFrom}::date, valid_until = ${came.validUntil}::date,
          exdates = ${dates(came.exceptDates)}, skips_holidays = ${came.skipsHolidays}, version = version + ${Number(differs)}, updated_at = ${now}
        where id = ${recordId}`.execute(tx);
    }
    if (!differs || !isTold) return;
    const [lost, stands] = said === 'WINS' ? [held, facts(came)] : [facts(came), held];
    await this.audit.record(tx, { kind: 'PARTNER_INSTANCE', code: link.partnerCode }, now, {
      action: 'availability-rule.merged',
      subjectType: 'availability-rule',
      subjectId: recordId,
      before: lost,
      after: stands && { guideId, ...stands },
    });
  }

  async #setHolidays(tx: Tx, { now }: Receipt, guideId: string, { recordId, origin }: RuleItem, came: NonNullable<RuleItem['holidays']>, row: RuleRow | undefined): Promise<void> {
    if (verdict(row?.holidays_stamp, came.stamp) !== 'WINS') return;
    await this.#make(tx, guideId, recordId, origin, now);
    const differs = row?.holidays.join() !== came.days.join();
    await sql`
      update availability_rule set holidays = ${dates(came.days)}, holidays_stamp = ${came.stamp}, version = version + ${Number(differs)}, updated_at = ${now}
      where id = ${recordId}`.execute(tx);
  }

  /**
   * A place for what came of a rule, if there is none: nobody sees it before its definition has come too. So it does not matter which of
   * the two comes first, and over which link.
   */
  async #make(tx: Tx, guideId: string, id: string, origin: string, now: Date): Promise<void> {
    await sql`
      insert into availability_rule (id, guide_id, origin, time_zone, start_time, duration_minutes, rrule, valid_from, stamp, holidays_stamp, deleted, created_at, updated_at)
      values (${id}, ${guideId}, ${origin}, ${EMPTY.timeZone}, ${EMPTY.startTime}, ${EMPTY.durationMinutes}, ${EMPTY.rrule}, ${EMPTY.validFrom}::date, '', '', true, ${now}, ${now})
      on conflict (id) do nothing`.execute(tx);
  }

  /**
   * Under the guides' locks; the refusal undoes what was written. Two counts: the partner's rules, made or changed last by him; and what
   * he gives back as ours after a restore, or says it is. Deletions and changes of what lives are always taken.
   */
  async #checkLiving(tx: Tx, { link }: Receipt, items: readonly RuleItem[], revived: readonly number[], guideOf: (item: RuleItem) => string): Promise<void> {
    const guides = revived.map((index) => guideOf(items[index] as RuleItem));
    const { rows } = await sql<{ guide_id: string; partners: number; ours: number }>`
      select guide_id, count(*) filter (where r.origin = ${link.partnerCode} or stamp_code(r.stamp) = ${link.partnerCode})::int as partners,
        count(*) filter (where r.origin <> ${link.partnerCode} and stamp_code(r.stamp) = ${this.code})::int as ours
      from availability_rule r where guide_id = any(${[...new Set(guides)]}::uuid[]) and not deleted group by guide_id`.execute(tx);
    const full = rows.find(({ partners, ours }) => partners > this.maxLiving || ours > MAX_GIVEN_BACK);
    if (full) throw new ItemRefusal({ index: revived[guides.lastIndexOf(full.guide_id)] ?? 0, code: 'LIMIT_EXCEEDED' });
  }

  /** Under the guides' locks. The refusal undoes what was written. */
  async #checkNumber(tx: Tx, items: readonly RuleItem[], guideOf: (item: RuleItem) => string): Promise<void> {
    const { rows } = await sql<{ guide_id: string }>`
      select guide_id from availability_rule where guide_id = any(${[...new Set(items.map(guideOf))]}::uuid[])
      group by guide_id having count(*) > ${MAX_RULES}`.execute(tx);
    const [full] = rows;
    if (full) throw new ItemRefusal({ index: items.findLastIndex((item) => guideOf(item) === full.guide_id), code: 'LIMIT_EXCEEDED' });
  }
}
