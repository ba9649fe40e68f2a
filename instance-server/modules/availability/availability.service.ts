import DataLoader from 'dataloader';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { checkRange, type TimeRange } from '../../platform/time.js';
import { byGuideAndRange, type Guide, guideScope, type OfGuide } from '../guides/index.js';
import { availabilityRepository as repository } from './availability.repository.js';
import type { Absence, AvailabilityForeignBooking, AvailabilityPeriod, AvailabilityRule, IndividualAvailability } from './availability.type.js';
import { GuideAvailability, isFree } from './computation.js';
import type { Span } from './spans.js';

/** Title and house are there for the guide himself alone; nobody else's database role can read them. */
type Foreign = Span & Partial<Pick<AvailabilityForeignBooking, 'offerTitle' | 'instance'>>;

/** Foreign bookings listed of a period. Nobody is taken by so many houses at once; a hostile one could make each of a thousand periods list a thousand. */
const MOST_LISTED = 20;

const rulesLoader = {};
const availabilityLoader = {};
const entriesLoader = {};
const absencesLoader = {};

const toSpan = ({ start, end }: TimeRange): Span => ({ start: start.getTime(), end: end.getTime() });

/** Responsible for reading when guides are available; what changes it are the other services of this module. */
export class AvailabilityService {
  constructor(private readonly database: Database) {}

  /**
   * Availability of any number of guides, in five statements: by id, one for every id given, known or not. For services of this house;
   * what a viewer may see is decided before. Of foreign bookings, times alone.
   */
  async load(tx: Tx, guideIds: readonly string[], range: TimeRange): Promise<Map<string, GuideAvailability>> {
    if (guideIds.length === 0) return new Map();
    const elsewhere = Map.groupBy(await repository.foreignTimes(tx, guideIds, range), ({ guideId }) => guideId);
    return this.#loadWith(tx, guideIds, range, (id) => (elsewhere.get(id) ?? []).map(({ start, end }) => ({ start, end })));
  }

  async #loadWith<F extends Span>(tx: Tx, guideIds: readonly string[], range: TimeRange, elsewhereOf: (guideId: string) => readonly F[]): Promise<Map<string, GuideAvailability<F>>> {
    // One after the other: a transaction has one connection, and a request should not take five.
    const rules = Map.groupBy(await repository.rules(tx, guideIds), ({ guideId }) => guideId);
    const entries = Map.groupBy(await repository.entries(tx, guideIds, range), ({ guideId }) => guideId);
    const absences = Map.groupBy(await repository.absences(tx, guideIds, range), ({ guideId }) => guideId);
    const taken = Map.groupBy(await repository.taken(tx, guideIds, range), ({ guideId }) => guideId);
    return new Map(
      guideIds.map((id) => [
        id,
        new GuideAvailability<F>(toSpan(range), {
          rules: rules.get(id) ?? [],
          entries: entries.get(id) ?? [],
          absences: (absences.get(id) ?? []).map(toSpan),
          booked: (taken.get(id) ?? []).flatMap(({ isBlock, span }) => (isBlock ? [] : [span])),
          blocked: (taken.get(id) ?? []).flatMap(({ isBlock, span }) => (isBlock ? [span] : [])),
          elsewhere: elsewhereOf(id),
        }),
      ]),
    );
  }

  /**
   * What a viewer sees of a guide's availability. A guide's own foreign bookings are read as his own database role, with title and
   * house; everybody else's role can read their times alone.
   * @throws Refusal for a range that is none
   */
  async periods(ctx: RequestContext, guide: Guide, range: TimeRange): Promise<AvailabilityPeriod[]> {
    checkRange(range, 'range');
    const scope = guideScope(ctx);
    if (scope.kind === 'NONE' || (scope.kind === 'ONE' && scope.guideId !== guide.id)) return [];
    if (scope.kind === 'ALL') {
      const availability = await this.#loader(ctx).load({ guideId: guide.id, ...range });
      return availability ? toPeriods(availability) : [];
    }
    const elsewhere = await repository.foreignBookingsAsGuide(this.database, guide.id, range);
    const own = await this.#loadWith(this.database.app.sql, [guide.id], range, () => elsewhere);
    return [...own.values()].flatMap(toPeriods);
  }

  /** Five statements for each range asked for, whatever the number of guides on the page. */
  #loader(ctx: RequestContext): DataLoader<OfGuide, GuideAvailability | undefined> {
    return byGuideAndRange(ctx, availabilityLoader, async (ids, range) => {
      const loaded = await this.load(this.database.app.sql, ids, range);
      return (id) => loaded.get(id);
    });
  }

  rulesOf(ctx: RequestContext, guide: Guide): Promise<AvailabilityRule[]> {
    return ctx
      .loader<string, AvailabilityRule[]>(
        rulesLoader,
        () =>
          new DataLoader(async (ids) => {
            const rows = Map.groupBy(await repository.rules(this.database.app.sql, ids), ({ guideId }) => guideId);
            return ids.map((id) => rows.get(id) ?? []);
          }),
      )
      .load(guide.id);
  }

  async entriesOf(ctx: RequestContext, guide: Guide, range: TimeRange): Promise<IndividualAvailability[]> {
    checkRange(range, 'range');
    const loader = byGuideAndRange(ctx, entriesLoader, async (ids, asked) => {
      const rows = Map.groupBy(await repository.entries(this.database.app.sql, ids, asked), ({ guideId }) => guideId);
      return (id) => rows.get(id) ?? [];
    });
    const entries = await loader.load({ guideId: guide.id, ...range });
    return entries.map(({ start, end, available, note }) => ({ start: new Date(start), end: new Date(end), available, note }));
  }

  async absencesOf(ctx: RequestContext, guide: Guide, range: TimeRange): Promise<Absence[]> {
    checkRange(range, 'range');
    const loader = byGuideAndRange(ctx, absencesLoader, async (ids, asked) => {
      const rows = Map.groupBy(await repository.absences(this.database.app.sql, ids, asked), ({ guideId }) => guideId);
      return (id) => rows.get(id) ?? [];
    });
    return loader.load({ guideId: guide.id, ...range });
  }
}

const toPeriods = (availability: GuideAvailability<Foreign>): AvailabilityPeriod[] =>
  availability.periods().map(({ start, end, state, elsewhere }) => ({
    start: new Date(start),
    end: new Date(end),
    state,
    free: isFree(state),
    foreignBookingCount: elsewhere.length,
    foreignBookings: elsewhere.slice(0, MOST_LISTED).map((foreign) => ({ start: new Date(foreign.start), end: new Date(foreign.end), offerTitle: foreign.offerTitle ?? null, instance: foreign.instance ?? null })),
  }));
