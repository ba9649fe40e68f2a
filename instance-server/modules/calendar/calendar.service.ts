import type DataLoader from 'dataloader';
import type { RequestContext } from '../../platform/context.js';
import type { Database } from '../../platform/database/database.js';
import { notFound } from '../../platform/errors/user-error.js';
import { BoundedFeed, resolved } from '../../platform/events/bounded-feed.js';
import type { EventHub, InstanceEvent } from '../../platform/events/events.js';
import { checkRange, type TimeRange } from '../../platform/time.js';
import { checkInteger } from '../../platform/validation.js';
import { byGuideAndRange, type Guide, type GuideService, guideScope, type OfGuide } from '../guides/index.js';
import type { Sessions } from '../identity/index.js';
import type { SettingsStore } from '../settings/index.js';
import { calendarRepository as repository, type CalendarRow, type ForeignRow } from './calendar.repository.js';
import { type CalendarChange, CalendarChangeKind, type CalendarEntry, CalendarEntryKind, Origin } from './calendar.type.js';
import { ageInSeconds } from './replica-ages.js';

/** Changes a subscriber may lag behind before he is told to load the calendar again. */
const MAX_WAITING_CHANGES = 100;
/** Longest age of copies that may be wished for, seconds. */
const MAX_REPLICA_AGE = 86_400;
const REFETCH: CalendarChange = { kind: CalendarChangeKind.REFETCH, entryId: null, instance: null, entry: null };

type ForeignEvent = InstanceEvent & { kind: 'foreign' };
type OwnEvent = InstanceEvent & { kind: 'calendar' };

/** Responsible for calendars: what is asked for, and what changes in them. Reads as the viewer's own database role. */
export class CalendarService {
  constructor(
    private readonly database: Database,
    private readonly guides: GuideService,
    private readonly settings: SettingsStore,
    private readonly events: EventHub,
    private readonly sessions: Sessions,
  ) {}

  /**
   * `maxReplicaAge` is for the gateway: this house answers from its copies anyway.
   * @throws Refusal for a range or an age that is none.
   */
  async entries(ctx: RequestContext, guide: Guide, range: TimeRange, maxReplicaAge: number | null): Promise<CalendarEntry[]> {
    checkRange(range, 'range');
    if (maxReplicaAge !== null) checkInteger(maxReplicaAge, 'maxReplicaAge', 0, MAX_REPLICA_AGE);
    const { viewer } = ctx;
    if (viewer.kind === 'PARTNER') {
      const rows = await repository.asPartner(this.database, viewer, range);
      return rows.map((row) => ({
        id: row.id,
        start: row.start_at,
        end: row.end_at,
        origin: Origin.LOCAL,
        kind: CalendarEntryKind[row.kind],
        offerTitle: row.offer_title,
        instance: this.settings.current,
        details: null,
        replicaAge: null,
        disputed: false,
      }));
    }
    const scope = guideScope(ctx);
    if (scope.kind === 'ONE') {
      const now = ctx.now();
      const rows = await repository.asGuide(this.database, scope.guideId, range);
      return rows.map((row) => (row.partner_code === null ? this.#toEntry(row) : toForeignEntry(row, now)));
    }
    if (scope.kind === 'NONE') return [];
    const rows = await this.#staffLoader(ctx).load({ guideId: guide.id, ...range });
    return rows.map((row) => this.#toEntry(row));
  }

  /** One statement for each range asked for, whatever the number of guides on the page. */
  #staffLoader(ctx: RequestContext): DataLoader<OfGuide, CalendarRow[]> {
    return byGuideAndRange(ctx, this, async (guideIds, range) => {
      const rows = Map.groupBy(await repository.asStaff(this.database, guideIds, range), (row) => row.guide_id);
      return (id) => rows.get(id) ?? [];
    });
  }

  #toEntry(row: CalendarRow): CalendarEntry {
    return {
      id: row.id,
      start: row.start_at,
      end: row.end_at,
      origin: Origin.LOCAL,
      kind: CalendarEntryKind[row.kind],
      offerTitle: row.offer_title,
      instance: this.settings.current,
      details: {
        bookingId: row.booking_id,
        customer: row.customer_name === null ? null : { name: row.customer_name, email: row.customer_email, phone: row.customer_phone },
        partySize: row.party_size,
        language: row.language,
        notes: row.notes,
      },
      replicaAge: null,
      disputed: false,
    };
  }

  /**
   * Changes of one guide's calendar from now on; those of foreign bookings for himself alone, so that nobody else can tell even when one
   * came. Begins with REFETCH when this session has followed it before: what came between is
   * unknown then.
   * @throws Refusal NOT_FOUND when there is no such guide for the viewer.
   */
  async changes(ctx: RequestContext, guideId: string): Promise<AsyncIterable<CalendarChange>> {
    const guide = await this.guides.find(ctx, guideId);
    if (!guide) throw notFound('guideId').toGraphQLError();
    const isHimself = guideScope(ctx).kind === 'ONE';
    const feed = new BoundedFeed<() => Promise<CalendarChange | undefined>>(
      MAX_WAITING_CHANGES,
      () => () => Promise.resolve(REFETCH),
      this.events.listen((event) => {
        if (event.kind === 'gap') feed.push(() => Promise.resolve(REFETCH));
        else if (event.kind === 'calendar' && event.guideId === guide.id) feed.push(() => this.#change(ctx, event));
        else if (event.kind === 'foreign' && isHimself && event.guideId === guide.id) feed.push(() => this.#foreignChange(ctx, event));
      }),
    );
    try {
      if (!(await repository.firstSubscription(this.database, ctx.account().sessionId, guide.id))) feed.push(() => Promise.resolve(REFETCH));
    } catch (error) {
      await feed.return();
      throw error;
    }
    return resolved(feed, REFETCH);
  }

  async #change(ctx: RequestContext, { guideId, assignmentId, change }: OwnEvent): Promise<CalendarChange | undefined> {
    // Checked for every event: the socket of an ended session may take a moment to close.
    if (!(await this.sessions.stands(ctx.account()))) return undefined;
    const facts = { entryId: assignmentId, instance: this.settings.current };
    if (change === 'REMOVED') return { ...facts, kind: CalendarChangeKind.REMOVED, entry: null };
    const scope = guideScope(ctx);
    const row =
      scope.kind === 'ONE'
        ? await repository.entryAsGuide(this.database, guideId, assignmentId)
        : await repository.entryAsStaff(this.database, guideId, assignmentId);
    // Ended meanwhile: its REMOVED is on the way.
    if (!row) return undefined;
    return { ...facts, kind: CalendarChangeKind[change], entry: this.#toEntry(row) };
  }

  /** Which house it is of is in the copy alone; what went with its coupling, or bears the id of another house's, is told as REFETCH. */
  async #foreignChange(ctx: RequestContext, { guideId, foreignId, change }: ForeignEvent): Promise<CalendarChange | undefined> {
    if (!(await this.sessions.stands(ctx.account()))) return undefined;
    const [row, ...others] = await repository.foreignEntries(this.database, guideId, foreignId);
    if (!row || others.length > 0) return REFETCH;
    const entry = toForeignEntry(row, ctx.now());
    const facts = { entryId: foreignId, instance: entry.instance };
    if (row.ended) return change === 'REMOVED' ? { ...facts, kind: CalendarChangeKind.REMOVED, entry: null } : undefined;
    return change === 'REMOVED' ? undefined : { ...facts, kind: CalendarChangeKind[change], entry };
  }
}

const toForeignEntry = (row: ForeignRow, now: Date): CalendarEntry => ({
  id: row.id,
  start: row.start_at,
  end: row.end_at,
  origin: Origin.FOREIGN,
  kind: CalendarEntryKind[row.kind],
  offerTitle: row.offer_title,
  instance: { code: row.partner_code, name: row.partner_name, url: row.partner_url },
  details: null,
  replicaAge: ageInSeconds(row.as_of, now),
  disputed: row.disputed,
});
