import DataLoader from 'dataloader';
import type { RequestContext } from '../../platform/context.js';
import type { Database } from '../../platform/database/database.js';
import { notFound } from '../../platform/errors/user-error.js';
import { BoundedFeed } from '../../platform/events/bounded-feed.js';
import type { EventHub, InstanceEvent } from '../../platform/events/events.js';
import { checkRange, type TimeRange } from '../../platform/time.js';
import { type Guide, type GuideService, guideScope } from '../guides/index.js';
import type { Sessions } from '../identity/index.js';
import type { SettingsStore } from '../settings/index.js';
import { calendarRepository as repository, type CalendarRow } from './calendar.repository.js';
import { type CalendarChange, CalendarChangeKind, type CalendarEntry, Origin } from './calendar.type.js';

interface RangeKey extends TimeRange {
  guideId: string;
}

/** Changes a subscriber may lag behind before he is told to load the calendar again. */
const MAX_WAITING_CHANGES = 100;
const REFETCH: CalendarChange = { kind: CalendarChangeKind.REFETCH, entryId: null, entry: null };

/** Responsible for calendars: what is asked for, and what changes in them. Reads as the viewer's own database role. */
export class CalendarService {
  constructor(
    private readonly database: Database,
    private readonly guides: GuideService,
    private readonly settings: SettingsStore,
    private readonly events: EventHub,
    private readonly sessions: Sessions,
  ) {}

  /** @throws Refusal for a range that is none. */
  async entries(ctx: RequestContext, guide: Guide, range: TimeRange): Promise<CalendarEntry[]> {
    checkRange(range, 'range');
    const { viewer } = ctx;
    if (viewer.kind === 'PARTNER') {
      const rows = await repository.asPartner(this.database, viewer, range);
      return rows.map((row) => ({
        id: row.id,
        start: row.start_at,
        end: row.end_at,
        origin: Origin.LOCAL,
        offerTitle: row.offer_title,
        instance: this.settings.current,
        details: null,
      }));
    }
    const scope = guideScope(ctx);
    if (scope.kind === 'ONE') return (await repository.asGuide(this.database, scope.guideId, range)).map((row) => this.#toEntry(row));
    if (scope.kind === 'NONE') return [];
    const rows = await this.#staffLoader(ctx).load({ guideId: guide.id, ...range });
    return rows.map((row) => this.#toEntry(row));
  }

  /** One statement for each range asked for, whatever the number of guides on the page. */
  #staffLoader(ctx: RequestContext): DataLoader<RangeKey, CalendarRow[]> {
    return ctx.loader<RangeKey, CalendarRow[]>(
      this,
      () =>
        new DataLoader<RangeKey, CalendarRow[], string>(
          async (keys) => {
            const byRange = Map.groupBy(keys, ({ start, end }) => `${start.getTime()}-${end.getTime()}`);
            const found = new Map<string, CalendarRow[]>();
            await Promise.all(
              [...byRange.values()].map(async (group) => {
                const [{ start, end }] = group as [RangeKey];
                const ids = group.map((key) => key.guideId);
                const rows = Map.groupBy(await repository.asStaff(this.database, ids, { start, end }), (row) => row.guide_id);
                for (const id of ids) found.set(rangeKey({ guideId: id, start, end }), rows.get(id) ?? []);
              }),
            );
            return keys.map((key) => found.get(rangeKey(key)) ?? []);
          },
          { cacheKeyFn: rangeKey },
        ),
    );
  }

  #toEntry(row: CalendarRow): CalendarEntry {
    return {
      id: row.id,
      start: row.start_at,
      end: row.end_at,
      origin: Origin.LOCAL,
      offerTitle: row.offer_title,
      instance: this.settings.current,
      details: {
        bookingId: row.booking_id,
        customer: { name: row.customer_name, email: row.customer_email, phone: row.customer_phone },
        partySize: row.party_size,
        language: row.language,
        notes: row.notes,
      },
    };
  }

  /**
   * Changes of one guide's calendar from now on. Begins with REFETCH when this session has followed it before: what came between is
   * unknown then.
   * @throws Refusal NOT_FOUND when there is no such guide for the viewer.
   */
  async changes(ctx: RequestContext, guideId: string): Promise<AsyncIterable<CalendarChange>> {
    const guide = await this.guides.find(ctx, guideId);
    if (!guide) throw notFound('guideId').toGraphQLError();
    const feed = new BoundedFeed<() => Promise<CalendarChange | undefined>>(
      MAX_WAITING_CHANGES,
      () => () => Promise.resolve(REFETCH),
      this.events.listen((event) => {
        if (event.kind === 'gap') feed.push(() => Promise.resolve(REFETCH));
        else if (event.kind === 'calendar' && event.guideId === guide.id) feed.push(() => this.#change(ctx, event));
      }),
    );
    try {
      if (!(await repository.firstSubscription(this.database, ctx.account().sessionId, guide.id))) feed.push(() => Promise.resolve(REFETCH));
    } catch (error) {
      await feed.return();
      throw error;
    }
    return resolved(feed);
  }

  async #change(ctx: RequestContext, event: InstanceEvent & { kind: 'calendar' }): Promise<CalendarChange | undefined> {
    const { guideId, assignmentId, change } = event;
    // Checked for every event: the socket of an ended session may take a moment to close.
    if (!(await this.sessions.stands(ctx.account()))) return undefined;
    if (change === 'REMOVED') return { kind: CalendarChangeKind.REMOVED, entryId: assignmentId, entry: null };
    const scope = guideScope(ctx);
    const row =
      scope.kind === 'ONE'
        ? await repository.entryAsGuide(this.database, guideId, assignmentId)
        : await repository.entryAsStaff(this.database, guideId, assignmentId);
    // Ended meanwhile: its REMOVED is on the way.
    if (!row) return undefined;
    return { kind: CalendarChangeKind[change], entryId: assignmentId, entry: this.#toEntry(row) };
  }
}

const rangeKey = ({ guideId, start, end }: RangeKey): string => `${guideId}-${start.getTime()}-${end.getTime()}`;

/** Reads each change when the subscriber is ready for it. A fault of one read becomes REFETCH rather than a hole. */
function resolved(feed: BoundedFeed<() => Promise<CalendarChange | undefined>>): AsyncIterableIterator<CalendarChange> {
  return {
    async next() {
      for (;;) {
        const { value, done } = await feed.next();
        if (done) return { value: undefined, done: true };
        const change = await value().catch(() => REFETCH);
        if (change) return { value: change, done: false };
      }
    },
    async return() {
      await feed.return();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
