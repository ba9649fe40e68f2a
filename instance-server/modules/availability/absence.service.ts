import { newId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { InputReason, invalidInput, notFound, Refusal, StaleVersionError } from '../../platform/errors/user-error.js';
import { once } from '../../platform/idempotency.js';
import { checkOptionalText, isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import { guideScope } from '../guides/index.js';
import { absenceRepository } from './absence.repository.js';
import type { CreateAbsenceInput, DeleteAbsenceInput, UpdateAbsenceInput } from './availability.input.js';
import { availabilityRepository as repository } from './availability.repository.js';
import { checkStepRange } from './availability.rules.js';
import type { Absence } from './availability.type.js';

const MAX_ABSENCES = 1_000;
const checkReason = (reason: string | null | undefined): string | null => checkOptionalText(reason, 'input.reason', 1_000);

/** Responsible for absences. Their reasons are personal: neither the action log nor any other house learns them. */
export class AbsenceService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
  ) {}

  create(ctx: RequestContext, input: CreateAbsenceInput): Promise<Absence> {
    const { idempotencyKey, ...rest } = input;
    const { guideId } = input;
    if (!isUuid(guideId)) throw notFound('input.guideId');
    const range = checkStepRange(input.range, 'input.range');
    const reason = checkReason(input.reason);
    return this.database.app.transaction(async (tx) => {
      const { outcome } = await once(ctx, tx, 'createAbsence', idempotencyKey, rest, async () => {
        if (!(await repository.lockGuide(tx, guideScope(ctx), guideId))) throw notFound('input.guideId');
        if ((await absenceRepository.count(tx, guideId)) >= MAX_ABSENCES) throw invalidInput('input.guideId', InputReason.OUT_OF_RANGE, `A guide may have ${MAX_ABSENCES} absences at most.`);
        const id = newId();
        await absenceRepository.insert(tx, { id, guideId, range, reason, now: ctx.now() });
        await this.audit.recordFor(ctx, tx, { action: 'absence.created', subjectType: 'absence', subjectId: id, after: { guideId, start: range.start, end: range.end } });
        return { absenceId: id };
      });
      return this.#reread(ctx, tx, outcome.absenceId, 'input.idempotencyKey');
    });
  }

  update(ctx: RequestContext, input: UpdateAbsenceInput): Promise<Absence> {
    const given = input.range ? checkStepRange(input.range, 'input.range') : undefined;
    const reason = input.reason === null || input.reason === undefined ? undefined : checkReason(input.reason);
    return this.#change(ctx, input, async (tx, before) => {
      const range = given ?? { start: before.start, end: before.end };
      await absenceRepository.update(tx, before.id, { range, reason: reason === undefined ? before.reason : reason });
      await this.audit.recordFor(ctx, tx, {
        action: 'absence.changed',
        subjectType: 'absence',
        subjectId: before.id,
        before: { start: before.start, end: before.end },
        after: { start: range.start, end: range.end, changed: [...(given ? ['range'] : []), ...(reason === undefined ? [] : ['reason'])] },
      });
      return this.#reread(ctx, tx, before.id, 'input.absenceId');
    });
  }

  delete(ctx: RequestContext, input: DeleteAbsenceInput): Promise<string> {
    return this.#change(ctx, input, async (tx, before) => {
      await absenceRepository.delete(tx, before.id);
      await this.audit.recordFor(ctx, tx, { action: 'absence.deleted', subjectType: 'absence', subjectId: before.id, before: { start: before.start, end: before.end } });
      return before.id;
    });
  }

  async #reread(ctx: RequestContext, tx: Tx, id: string, field: string): Promise<Absence> {
    const absence = await absenceRepository.find(tx, guideScope(ctx), id);
    if (!absence) throw notFound(field);
    return absence;
  }

  #change<T>(ctx: RequestContext, target: { absenceId: string; expectedVersion: number }, work: (tx: Tx, before: Absence) => Promise<T>): Promise<T> {
    if (!isUuid(target.absenceId)) throw notFound('input.absenceId');
    return this.database.app.transaction(async (tx) => {
      const guideId = await repository.guideOf(tx, guideScope(ctx), 'absence', target.absenceId);
      if (!guideId || !(await repository.lockGuide(tx, guideScope(ctx), guideId))) throw notFound('input.absenceId');
      const before = await this.#reread(ctx, tx, target.absenceId, 'input.absenceId');
      if (before.version !== target.expectedVersion) throw new Refusal(new StaleVersionError(before.version));
      return work(tx, before);
    });
  }
}
