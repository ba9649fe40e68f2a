import DataLoader from 'dataloader';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { InputReason, invalidInput, notFound, Refusal, StaleVersionError } from '../../platform/errors/user-error.js';
import { checkInteger, checkLanguages, isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import { distinctAgeGroups } from '../catalogs/index.js';
import { type Guide, guideScope, type GuideService } from '../guides/index.js';
import type { GuideLimitInput, GuideLimits, SetForeignBookingsCountedInput, SetGuideLimitsInput } from './limits.type.js';
import { GuideRelease, type GuideReleaseInput, type SetGuideReleasesInput } from './release.type.js';
import { type LimitColumns, type LimitsRow, type ReleaseRow, termsRepository as repository } from './terms.repository.js';

const MAX_RELEASES = 500;
const MAX_BOOKINGS = 1_000;
const MINUTES = { perDay: 1_440, perWeek: 10_080, perMonth: 44_640 } as const;

const releasesLoader = {};
const limitsLoader = {};

function checkRelease({ offerId, languages, ageGroups }: GuideReleaseInput, index: number): Omit<ReleaseRow, 'guideId'> {
  const field = `input.releases.${index}`;
  if (!isUuid(offerId)) throw notFound(`${field}.offerId`);
  return {
    offerId: offerId.toLowerCase(),
    languages: languages ? checkLanguages(languages, `${field}.languages`) : null,
    ageGroups: ageGroups ? distinctAgeGroups(ageGroups) : null,
  };
}

function checkReleases(given: readonly GuideReleaseInput[]): Omit<ReleaseRow, 'guideId'>[] {
  if (given.length > MAX_RELEASES) throw invalidInput('input.releases', InputReason.OUT_OF_RANGE, `${MAX_RELEASES} offers at most.`);
  const releases = given.map(checkRelease);
  const twice = releases.findIndex(({ offerId }, index) => releases.findIndex((other) => other.offerId === offerId) < index);
  if (twice >= 0) throw invalidInput(`input.releases.${twice}.offerId`, InputReason.CONFLICTING, 'This offer is named twice.');
  return releases;
}

function checkLimit(limit: GuideLimitInput | null | undefined, period: keyof typeof MINUTES): { minutes: number | null; bookings: number | null } {
  const { minutes = null, bookings = null } = limit ?? {};
  return {
    minutes: minutes === null ? null : checkInteger(minutes, `input.${period}.minutes`, 0, MINUTES[period]),
    bookings: bookings === null ? null : checkInteger(bookings, `input.${period}.bookings`, 0, MAX_BOOKINGS),
  };
}

function toLimits(row: LimitsRow | undefined): GuideLimits {
  return {
    perDay: { minutes: row?.minutes_per_day ?? null, bookings: row?.bookings_per_day ?? null },
    perWeek: { minutes: row?.minutes_per_week ?? null, bookings: row?.bookings_per_week ?? null },
    perMonth: { minutes: row?.minutes_per_month ?? null, bookings: row?.bookings_per_month ?? null },
    countsForeignBookings: row?.counts_foreign_bookings ?? false,
  };
}

/** Responsible for the terms on which a house employs a guide: what he is released for, and up to how much he leads. */
export class TermsService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
    private readonly guides: GuideService,
  ) {}

  /** One statement for all guides that a request asks for. */
  releasesOf(ctx: RequestContext, guideId: string): Promise<GuideRelease[]> {
    return ctx
      .loader<string, GuideRelease[]>(
        releasesLoader,
        () =>
          new DataLoader(async (guideIds) => {
            const rows = Map.groupBy(await repository.releases(this.database.app.sql, guideIds), (row) => row.guideId);
            return guideIds.map((id) => (rows.get(id) ?? []).map(({ offerId, languages, ageGroups }) => Object.assign(new GuideRelease(), { offerId, languages, ageGroups })));
          }),
      )
      .load(guideId);
  }

  /** One statement for all guides that a request asks for. */
  limitsOf(ctx: RequestContext, guideId: string): Promise<GuideLimits> {
    return ctx
      .loader<string, GuideLimits>(
        limitsLoader,
        () =>
          new DataLoader(async (guideIds) => {
            const rows = new Map((await repository.limits(this.database.app.sql, guideIds)).map((row) => [row.guide_id, row]));
            return guideIds.map((id) => toLimits(rows.get(id)));
          }),
      )
      .load(guideId);
  }

  setReleases(ctx: RequestContext, input: SetGuideReleasesInput): Promise<Guide> {
    const releases = checkReleases(input.releases);
    return this.#change(ctx, input, async (tx, guideId) => {
      const before = (await repository.releases(tx, [guideId])).filter(({ offerId }) => releases.some((release) => release.offerId === offerId));
      const changed = new Set(await repository.setReleases(tx, guideId, releases));
      const unknown = releases.findIndex(({ offerId }) => !changed.has(offerId));
      if (unknown >= 0) throw notFound(`input.releases.${unknown}.offerId`);
      return { before: { releases: before.map(({ guideId: _guide, ...release }) => release) }, after: { changed: ['releases'], releases } };
    });
  }

  setLimits(ctx: RequestContext, input: SetGuideLimitsInput): Promise<Guide> {
    const [day, week, month] = [checkLimit(input.perDay, 'perDay'), checkLimit(input.perWeek, 'perWeek'), checkLimit(input.perMonth, 'perMonth')];
    const columns: LimitColumns = {
      minutes_per_day: day.minutes,
      bookings_per_day: day.bookings,
      minutes_per_week: week.minutes,
      bookings_per_week: week.bookings,
      minutes_per_month: month.minutes,
      bookings_per_month: month.bookings,
    };
    return this.#change(ctx, input, async (tx, guideId) => {
      const [before] = await repository.limits(tx, [guideId]);
      await repository.setLimits(tx, guideId, columns);
      return { before: { limits: toLimits(before) }, after: { changed: ['limits'], limits: toLimits({ ...columns, guide_id: guideId, counts_foreign_bookings: before?.counts_foreign_bookings ?? false }) } };
    });
  }

  setForeignBookingsCounted(ctx: RequestContext, input: SetForeignBookingsCountedInput): Promise<Guide> {
    return this.#change(ctx, input, async (tx, guideId) => {
      await repository.setLimits(tx, guideId, { counts_foreign_bookings: input.counted });
      return { before: null, after: { changed: ['countsForeignBookings'], countsForeignBookings: input.counted } };
    });
  }

  async #change(
    ctx: RequestContext,
    target: { guideId: string; expectedVersion: number },
    work: (tx: Tx, guideId: string) => Promise<{ before: Record<string, unknown> | null; after: Record<string, unknown> }>,
  ): Promise<Guide> {
    if (!isUuid(target.guideId)) throw notFound('input.guideId');
    const guideId = await this.database.app.transaction(async (tx) => {
      const locked = await repository.lockGuide(tx, guideScope(ctx), target.guideId);
      if (!locked) throw notFound('input.guideId');
      if (locked.version !== target.expectedVersion) throw new Refusal(new StaleVersionError(locked.version));
      const { before, after } = await work(tx, locked.id);
      await repository.bumpVersion(tx, locked.id);
      await this.audit.recordFor(ctx, tx, { action: 'guide.changed', subjectType: 'guide', subjectId: locked.id, before, after: { ...after, version: locked.version + 1 } });
      return locked.id;
    });
    const guide = await this.guides.find(ctx, guideId);
    if (!guide) throw notFound('input.guideId');
    return guide;
  }
}
