import type { RequestContext } from '../../platform/context.js';
import { canonicalJson } from '../../platform/crypto.js';
import type { Database } from '../../platform/database/database.js';
import { InputReason, invalidInput } from '../../platform/errors/user-error.js';
import { decodeCursor, encodeCursor, pageSize } from '../../platform/paging.js';
import { checkRange } from '../../platform/time.js';
import { checkLanguage, isUuid } from '../../platform/validation.js';
import { type AvailabilityService, type GuideAvailability, Hindrance } from '../availability/index.js';
import type { BookingService } from '../bookings/index.js';
import type { OfferService } from '../catalogs/index.js';
import type { SettingsStore } from '../settings/index.js';
import { type Candidate, type CandidateFilter, type ExceededLimit, eligibilityRepository as repository, type Wanted } from './eligibility.repository.js';
import {
  AgeGroupNotReleasedReason,
  type EligibleGuidesFilter,
  type EligibleGuidesInput,
  GuideEligibility,
  type GuideEligibilityPage,
  InactiveReason,
  type IneligibilityReason,
  LanguageNotReleasedReason,
  LanguageNotSpokenReason,
  LimitExceededReason,
  NotAssignedToOfferReason,
  NotFreeReason,
  UnfreeState,
} from './eligibility.type.js';
import { LimitPeriod, periodsOf, touchedPeriods } from './limit-periods.js';

type Reason = typeof IneligibilityReason;

const MAX_RANGE_MS = 31 * 86_400_000;
const MAX_GUIDES = 200;

/** What a guide's time is called here; the order is that of the reasons. */
const UNFREE: Readonly<Record<Hindrance, UnfreeState>> = {
  BOOKED: UnfreeState.ALREADY_BOOKED,
  BLOCKED: UnfreeState.BLOCKED,
  ABSENT: UnfreeState.ABSENT,
  BOOKED_ELSEWHERE: UnfreeState.BOOKED_ELSEWHERE,
  SET_UNAVAILABLE: UnfreeState.SET_UNAVAILABLE,
  NOT_AVAILABLE: UnfreeState.NOT_AVAILABLE,
};

function checkFilter(filter: EligibleGuidesFilter | null): CandidateFilter {
  const { guideIds, active, assignedToOffer } = filter ?? {};
  if (guideIds && guideIds.length > MAX_GUIDES) throw invalidInput('filter.guideIds', InputReason.OUT_OF_RANGE, `${MAX_GUIDES} guides at most.`);
  // An id that is none is nobody's, like one of another instance.
  return { guideIds: guideIds?.filter(isUuid), active, assignedToOffer };
}

/** What the house's records have against a guide. */
function reasonsOfRecords(candidate: Candidate, { offerId, language, ageGroup }: Wanted): Reason[] {
  const reasons: Reason[] = [];
  if (!candidate.active) reasons.push(Object.assign(new InactiveReason(), { active: false }));
  if (!candidate.assignedToOffer) reasons.push(Object.assign(new NotAssignedToOfferReason(), { offerId }));
  if (language !== null && !candidate.speaks) reasons.push(Object.assign(new LanguageNotSpokenReason(), { language, spoken: candidate.spoken }));
  if (language !== null && !candidate.languageReleased) {
    reasons.push(Object.assign(new LanguageNotReleasedReason(), { language, releasedLanguages: candidate.releasedLanguages ?? [] }));
  }
  if (ageGroup !== null && !candidate.ageGroupReleased) {
    reasons.push(Object.assign(new AgeGroupNotReleasedReason(), { ageGroup, releasedAgeGroups: candidate.releasedAgeGroups ?? [] }));
  }
  return reasons;
}

function reasonsOfTime(availability: GuideAvailability | undefined, wanted: Wanted): Reason[] {
  const hindrances = availability?.hindrances({ start: wanted.start.getTime(), end: wanted.end.getTime() }) ?? [];
  return hindrances.map(({ state, times }) =>
    Object.assign(new NotFreeReason(), { state: UNFREE[state], times: times.map(({ start, end }) => ({ start: new Date(start), end: new Date(end) })) }),
  );
}

const reasonOfLimit = ({ guideId: _guide, ...facts }: ExceededLimit): Reason => Object.assign(new LimitExceededReason(), facts);

/**
 * Responsible for who can take a booking, and why others cannot. It informs: nothing is refused for it. The database ranks and pages
 * by what its records decide; availability is computed for the guides of the page alone.
 */
export class EligibilityService {
  constructor(
    private readonly database: Database,
    private readonly bookings: BookingService,
    private readonly offers: OfferService,
    private readonly availability: AvailabilityService,
    private readonly settings: SettingsStore,
  ) {}

  /** Null for a booking or offer that there is not, or not for the viewer. @throws Refusal when the input does not say what is wanted. */
  async rank(ctx: RequestContext, input: EligibleGuidesInput, filter: EligibleGuidesFilter | null, first: number | null, after: string | null): Promise<GuideEligibilityPage | null> {
    const size = pageSize(first);
    const candidateFilter = checkFilter(filter);
    // Minutes and names of one question are no position in the ranking of another.
    const list = `eligibleGuides:${canonicalJson({ input, filter })}`;
    const position = decodeCursor(list, after, ['integer', 'integer', 'text', 'text', 'uuid']);
    const wanted = await this.#wanted(ctx, input);
    if (!wanted) return null;
    const { timeZone } = this.settings.current;
    const [week] = periodsOf(LimitPeriod.WEEK, wanted, timeZone);
    if (!week) throw new Error('a time lies in no week');
    const sql = this.database.app.sql;
    const found = await repository.ranked(sql, wanted, week, candidateFilter, size + 1, position);
    const candidates = found.slice(0, size);
    const guideIds = candidates.map(({ id }) => id);
    const availabilities = await this.availability.load(sql, guideIds, wanted);
    const exceeded = guideIds.length > 0 ? Map.groupBy(await repository.exceededLimits(sql, guideIds, wanted, touchedPeriods(wanted, timeZone)), ({ guideId }) => guideId) : new Map<string, ExceededLimit[]>();
    const guides = candidates.map((candidate) => {
      const { id: guideId, minutesInWeek } = candidate;
      const reasons = [...reasonsOfRecords(candidate, wanted), ...reasonsOfTime(availabilities.get(guideId), wanted), ...(exceeded.get(guideId) ?? []).map(reasonOfLimit)];
      return Object.assign(new GuideEligibility(), { guideId, minutesInWeek, reasons, eligible: reasons.length === 0 });
    });
    const last = candidates.at(-1);
    return {
      // Stable: among equals the order of the ranking stays.
      guides: guides.toSorted((one, other) => Number(other.eligible) - Number(one.eligible)),
      pageInfo: {
        hasNextPage: found.length > size,
        endCursor: last ? encodeCursor(list, [String(last.ruledOut), String(last.minutesInWeek), last.lastName, last.firstName, last.id]) : null,
      },
    };
  }

  #wanted(ctx: RequestContext, input: EligibleGuidesInput): Promise<Wanted | null> {
    const { bookingId, offerId } = input;
    if (bookingId) {
      for (const field of ['offerId', 'language', 'ageGroup'] as const) {
        if (input[field]) throw invalidInput(`input.${field}`, InputReason.CONFLICTING, `With a booking, ${field} is its own.`);
      }
      return this.#wantedForBooking(ctx, bookingId, input);
    }
    if (!offerId) throw invalidInput('input.bookingId', InputReason.REQUIRED, 'Give a booking, or an offer and a range.');
    return this.#wantedForOffer(offerId, input);
  }

  async #wantedForBooking(ctx: RequestContext, id: string, { range }: EligibleGuidesInput): Promise<Wanted | null> {
    const booking = await this.bookings.find(ctx, id);
    if (!booking) return null;
    const { start, end } = checkRange(range ?? booking, 'input.range', MAX_RANGE_MS);
    if (start < booking.start || end > booking.end) throw invalidInput('input.range', InputReason.OUT_OF_RANGE, 'The part must lie within the booking.');
    return { bookingId: booking.id, offerId: booking.offerId, start, end, language: booking.language, ageGroup: booking.ageGroup };
  }

  async #wantedForOffer(id: string, { range, language, ageGroup }: EligibleGuidesInput): Promise<Wanted | null> {
    if (!range) throw invalidInput('input.range', InputReason.REQUIRED, 'Say when.');
    const { start, end } = checkRange(range, 'input.range', MAX_RANGE_MS);
    const tag = language ? checkLanguage(language, 'input.language') : null;
    const offer = await this.offers.find(id);
    if (!offer) return null;
    return { bookingId: null, offerId: offer.id, start, end, language: tag, ageGroup: ageGroup ?? null };
  }
}
