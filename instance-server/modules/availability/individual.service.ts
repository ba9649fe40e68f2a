import { newId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { InputReason, invalidInput, notFound } from '../../platform/errors/user-error.js';
import { once } from '../../platform/idempotency.js';
import { checkOptionalText, isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import { type Guide, guideScope, type GuideService } from '../guides/index.js';
import type { SettingsStore } from '../settings/index.js';
import { type GenerateAvailabilitiesInput, IndividualSetting, type SetAvailabilityInput, Weekday } from './availability.input.js';
import { availabilityRepository as repository } from './availability.repository.js';
import { checkStepRange, checkTimeOfDay } from './availability.rules.js';
import { dayNumber, dateOf, minutesOf, spanOfDay, weekdayOf } from './days.js';
import { carve, type Entry, type Span, union } from './spans.js';

const MAX_DAYS = 366;
const WEEKDAYS = Object.values(Weekday);

type Value = Pick<Entry, 'available' | 'note'> | null;

function checkValue(setting: IndividualSetting, note: string | null | undefined): Value {
  const text = checkOptionalText(note, 'input.note', 500);
  if (setting !== IndividualSetting.BY_RULES) return { available: setting === IndividualSetting.AVAILABLE, note: text };
  if (text !== null) throw invalidInput('input.note', InputReason.CONFLICTING, 'Where nothing is set there is nothing to be noted.');
  return null;
}

/** Days of a season that fall on the weekdays named; their bounds are checked. @throws Refusal */
function checkDays({ from, until, weekdays }: GenerateAvailabilitiesInput): number[] {
  const [first, last] = [dayNumber(from), dayNumber(until)];
  if (last < first) throw invalidInput('input.until', InputReason.END_BEFORE_START, 'The last day must not come before the first.');
  if (last - first >= MAX_DAYS) throw invalidInput('input.until', InputReason.RANGE_TOO_LONG, `A season has ${MAX_DAYS} days at most.`);
  if (weekdays.length === 0) throw invalidInput('input.weekdays', InputReason.REQUIRED, 'Name one weekday at least.');
  if (weekdays.length > 7) throw invalidInput('input.weekdays', InputReason.OUT_OF_RANGE, 'A week has seven days.');
  const wanted = new Set(weekdays.map((day) => WEEKDAYS.indexOf(day) + 1));
  return Array.from({ length: last - first + 1 }, (_, index) => first + index).filter((day) => wanted.has(weekdayOf(day)));
}

/** Responsible for what is set by hand in this house, time by time or for a season. */
export class IndividualAvailabilityService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
    private readonly settings: SettingsStore,
    private readonly guides: GuideService,
  ) {}

  set(ctx: RequestContext, input: SetAvailabilityInput): Promise<{ guide: Guide; count: number }> {
    const range = checkStepRange(input.range, 'input.range');
    const span = { start: range.start.getTime(), end: range.end.getTime() };
    const value = checkValue(input.setting, input.note);
    return this.#change(ctx, 'setAvailability', input, value, () => Promise.resolve([span]));
  }

  generate(ctx: RequestContext, input: GenerateAvailabilitiesInput): Promise<{ guide: Guide; count: number }> {
    const startMinutes = minutesOf(checkTimeOfDay(input.startTime, 'input.startTime'));
    const endMinutes = minutesOf(checkTimeOfDay(input.endTime, 'input.endTime'));
    const durationMinutes = endMinutes > startMinutes ? endMinutes - startMinutes : endMinutes + 1440 - startMinutes;
    const days = checkDays(input);
    const value = checkValue(input.setting, input.note);
    const { timeZone } = this.settings.current;
    return this.#change(ctx, 'generateAvailabilities', input, value, async (tx) => {
      const holidays = new Set(input.exceptHolidays ? (await repository.holidays(tx, { from: input.from, until: input.until })).map(({ date }) => date) : []);
      return days
        .filter((day) => !holidays.has(dateOf(day)))
        .map((day) => spanOfDay(timeZone, day, startMinutes, durationMinutes))
        .filter((span): span is Span => span !== undefined);
    });
  }

  async #change(
    ctx: RequestContext,
    mutation: string,
    input: { idempotencyKey: string; guideId: string; setting: IndividualSetting },
    value: Value,
    spansOf: (tx: Tx) => Promise<Span[]>,
  ): Promise<{ guide: Guide; count: number }> {
    const { idempotencyKey, ...rest } = input;
    if (!isUuid(input.guideId)) throw notFound('input.guideId');
    const count = await this.database.app.transaction(async (tx) => {
      const { outcome } = await once(ctx, tx, mutation, idempotencyKey, rest, async () => {
        if (!(await repository.lockGuide(tx, guideScope(ctx), input.guideId))) throw notFound('input.guideId');
        const spans = await spansOf(tx);
        await this.#write(tx, input.guideId, union(spans), value);
        await this.audit.recordFor(ctx, tx, {
          action: 'availability.set',
          subjectType: 'guide',
          subjectId: input.guideId,
          after: { setting: input.setting, count: spans.length, start: instant(spans[0]?.start), end: instant(spans.at(-1)?.end) },
        });
        return { count: spans.length };
      });
      return outcome.count;
    });
    const guide = await this.guides.find(ctx, input.guideId);
    if (!guide) throw notFound('input.guideId');
    return { guide, count };
  }

  async #write(tx: Tx, guideId: string, spans: readonly Span[], value: Value): Promise<void> {
    const [first, last] = [spans[0], spans.at(-1)];
    if (!first || !last) return;
    const range = { start: new Date(first.start), end: new Date(last.end) };
    const entries = carve(await repository.entriesAround(tx, guideId, range), spans, value);
    await repository.replaceEntries(
      tx,
      guideId,
      range,
      entries.map(({ start, end, available, note }) => ({ id: newId(), start, end, available, note })),
    );
  }
}

const instant = (milliseconds: number | undefined): string | null => (milliseconds === undefined ? null : new Date(milliseconds).toISOString());
