import { sql } from 'kysely';
import type { RequestContext } from '../../platform/context.js';
import type { Database } from '../../platform/database/database.js';
import { InputReason, invalidInput } from '../../platform/errors/user-error.js';
import type { Stamps } from '../../platform/stamps.js';
import { checkInteger, checkText } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import type { SettingsStore } from '../settings/index.js';
import type { SetHolidaysInput } from './availability.input.js';
import { availabilityRepository as repository } from './availability.repository.js';
import { RULE_LIMITS } from './availability.rules.js';
import type { Holiday } from './availability.type.js';

const yearRange = (year: number) => ({ from: `${year}-01-01`, until: `${year}-12-31` });

function checkHolidays({ year, holidays }: SetHolidaysInput): Holiday[] {
  checkInteger(year, 'input.year', 1970, 2199);
  if (holidays.length > RULE_LIMITS.holidays) throw invalidInput('input.holidays', InputReason.OUT_OF_RANGE, `${RULE_LIMITS.holidays} holidays at most.`);
  const seen = new Set<string>();
  return holidays.map(({ date, name }, index) => {
    const field = `input.holidays.${index}`;
    if (!date.startsWith(`${year}-`)) throw invalidInput(`${field}.date`, InputReason.OUT_OF_RANGE, `This day is not in ${year}.`);
    if (seen.has(date)) throw invalidInput(`${field}.date`, InputReason.CONFLICTING, 'This day is named twice.');
    seen.add(date);
    return { date, name: checkText(name, `${field}.name`, { max: 100 }) };
  });
}

/** Responsible for the holidays of this house, and for the copies of them that its rules carry to other houses. */
export class HolidayService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
    private readonly settings: SettingsStore,
    private readonly stamps: Stamps,
  ) {}

  ofYear(year: number): Promise<Holiday[]> {
    if (!Number.isInteger(year) || year < 1970 || year > 2199) return Promise.resolve([]);
    return repository.holidays(this.database.app.sql, yearRange(year));
  }

  /**
   * Rules made here get the new days whether they skip holidays at present or not: whoever says later that they shall, in whatever
   * house, has the days there. Locks the holidays, then the guides, then their rules, then the stamps.
   */
  set(ctx: RequestContext, input: SetHolidaysInput): Promise<Holiday[]> {
    const holidays = checkHolidays(input);
    const range = yearRange(input.year);
    return this.database.app.transaction(async (tx) => {
      await sql`lock table holiday in share row exclusive mode`.execute(tx);
      const before = await repository.holidays(tx, range);
      await tx.deleteFrom('holiday').where(sql<boolean>`date between ${range.from}::date and ${range.until}::date`).execute();
      if (holidays.length > 0) await tx.insertInto('holiday').values(holidays).execute();
      const all = (await repository.holidays(tx)).map(({ date }) => date);
      if (all.length > RULE_LIMITS.holidays) throw invalidInput('input.holidays', InputReason.OUT_OF_RANGE, `A house keeps ${RULE_LIMITS.holidays} holidays of all years at most.`);
      const after = await repository.holidays(tx, range);
      const dates = (list: readonly Holiday[]) => list.map(({ date }) => date);
      if (dates(before).join() !== dates(after).join()) {
        const { code } = this.settings.current;
        const rules = await repository.lockRulesOf(tx, code);
        const now = ctx.now();
        if (rules.length > 0) await repository.setRuleHolidays(tx, rules, all, await this.stamps.next(tx, now), now);
      }
      await this.audit.recordFor(ctx, tx, { action: 'holidays.changed', subjectType: 'settings', subjectId: this.settings.current.code, before: { dates: dates(before) }, after: { dates: dates(after) } });
      return after;
    });
  }
}
