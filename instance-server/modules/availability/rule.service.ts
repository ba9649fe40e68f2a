import { sql } from 'kysely';
import { newId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { InputReason, invalidInput, notFound, Refusal, StaleVersionError } from '../../platform/errors/user-error.js';
import { once } from '../../platform/idempotency.js';
import type { Stamps } from '../../platform/stamps.js';
import { isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import { guideScope } from '../guides/index.js';
import type { SettingsStore } from '../settings/index.js';
import type { CreateAvailabilityRuleInput, DeleteAvailabilityRuleInput, UpdateAvailabilityRuleInput } from './availability.input.js';
import { availabilityRepository as repository } from './availability.repository.js';
import { checkRule, RULE_LIMITS } from './availability.rules.js';
import type { AvailabilityRule } from './availability.type.js';
import type { RulePattern } from './computation.js';

const facts = ({ startTime, durationMinutes, rrule, validFrom, validUntil, exceptDates, skipsHolidays }: RulePattern): Record<string, unknown> => ({
  startTime,
  durationMinutes,
  rrule,
  validFrom,
  validUntil,
  exceptDates,
  skipsHolidays,
});

/**
 * Responsible for rules as people of this house change them; each change gets a stamp, by which the last writer wins over all houses.
 * Locks the holidays where it needs them, then the guide, then the rule, then the stamps.
 */
export class RuleService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
    private readonly settings: SettingsStore,
    private readonly stamps: Stamps,
  ) {}

  create(ctx: RequestContext, input: CreateAvailabilityRuleInput): Promise<AvailabilityRule> {
    const { idempotencyKey, ...rest } = input;
    const { guideId } = input;
    if (!isUuid(guideId)) throw notFound('input.guideId');
    const { code, timeZone } = this.settings.current;
    const pattern = checkRule({ ...input, validUntil: input.validUntil ?? null, timeZone, holidays: [] }, 'input');
    return this.database.app.transaction(async (tx) => {
      const { outcome } = await once(ctx, tx, 'createAvailabilityRule', idempotencyKey, rest, async () => {
        // Whoever changes the holidays waits for this rule and then changes it too, or is done before it is made.
        await sql`lock table holiday in share mode`.execute(tx);
        if (!(await repository.lockGuide(tx, guideScope(ctx), guideId))) throw notFound('input.guideId');
        if ((await repository.rules(tx, [guideId])).length >= RULE_LIMITS.rules) {
          throw invalidInput('input.guideId', InputReason.OUT_OF_RANGE, `A guide may have ${RULE_LIMITS.rules} rules at most.`);
        }
        const holidays = (await repository.holidays(tx)).map(({ date }) => date);
        const id = newId();
        const now = ctx.now();
        await repository.insertRule(tx, { ...pattern, holidays, id, guideId, origin: code }, await this.stamps.next(tx, now), now);
        await this.audit.recordFor(ctx, tx, { action: 'availability-rule.created', subjectType: 'availability-rule', subjectId: id, after: { guideId, ...facts(pattern) } });
        return { ruleId: id };
      });
      const rule = await repository.rule(tx, guideScope(ctx), outcome.ruleId);
      if (!rule) throw notFound('input.idempotencyKey');
      return rule;
    });
  }

  update(ctx: RequestContext, input: UpdateAvailabilityRuleInput): Promise<AvailabilityRule> {
    return this.#change(ctx, input, async (tx, before) => {
      const after = checkRule(
        {
          ...before,
          startTime: input.startTime ?? before.startTime,
          durationMinutes: input.durationMinutes ?? before.durationMinutes,
          rrule: input.rrule ?? before.rrule,
          validFrom: input.validFrom ?? before.validFrom,
          validUntil: input.validUntil === undefined ? before.validUntil : input.validUntil,
          exceptDates: input.exceptDates ?? before.exceptDates,
          skipsHolidays: input.skipsHolidays ?? before.skipsHolidays,
        },
        'input',
      );
      const now = ctx.now();
      await repository.changeRule(tx, before.id, after, await this.stamps.next(tx, now), now);
      await this.audit.recordFor(ctx, tx, { action: 'availability-rule.changed', subjectType: 'availability-rule', subjectId: before.id, before: facts(before), after: facts(after) });
      const rule = await repository.rule(tx, guideScope(ctx), before.id);
      if (!rule) throw notFound('input.ruleId');
      return rule;
    });
  }

  delete(ctx: RequestContext, input: DeleteAvailabilityRuleInput): Promise<string> {
    return this.#change(ctx, input, async (tx, before) => {
      const now = ctx.now();
      await repository.changeRule(tx, before.id, 'deleted', await this.stamps.next(tx, now), now);
      await this.audit.recordFor(ctx, tx, { action: 'availability-rule.deleted', subjectType: 'availability-rule', subjectId: before.id, before: facts(before) });
      return before.id;
    });
  }

  #change<T>(ctx: RequestContext, target: { ruleId: string; expectedVersion: number }, work: (tx: Tx, before: AvailabilityRule) => Promise<T>): Promise<T> {
    if (!isUuid(target.ruleId)) throw notFound('input.ruleId');
    return this.database.app.transaction(async (tx) => {
      const guideId = await repository.guideOf(tx, guideScope(ctx), 'availability_rule', target.ruleId);
      if (!guideId || !(await repository.lockGuide(tx, guideScope(ctx), guideId))) throw notFound('input.ruleId');
      const before = await repository.lockRule(tx, target.ruleId);
      if (!before) throw notFound('input.ruleId');
      if (before.version !== target.expectedVersion) throw new Refusal(new StaleVersionError(before.version));
      return work(tx, before);
    });
  }
}
