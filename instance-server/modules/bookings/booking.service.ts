import DataLoader from 'dataloader';
import type { RequestContext } from '../../platform/context.js';
import { decodeCursor, encodeCursor, pageSize, toPage } from '../../platform/paging.js';
import { checkRange } from '../../platform/time.js';
import { isUuid } from '../../platform/validation.js';
import type { BookingFilter } from './booking.input.js';
import { bookingScope } from './booking.policy.js';
import { bookingRepository as repository } from './booking.repository.js';
import { type Booking, type BookingConnection, BookingOrder, type GuideAssignment } from './booking.type.js';
import type { ClaimGate } from './claim-gate.js';
import type { CommandDependencies } from './commands/shared.js';

const byIdLoader = {};
const assignmentsLoader = {};

/** Responsible for reading bookings; each change is a command of its own under commands/. */
export class BookingService {
  constructor(
    readonly deps: CommandDependencies,
    private readonly claims: ClaimGate,
  ) {}

  /** What a command made, once it is known whether its guides can be counted on, or a moment has passed. */
  async settled<T>(ctx: RequestContext, command: Promise<T>): Promise<T> {
    const made = await command.catch(async (error: unknown) => {
      await this.claims.settled(ctx, false);
      throw error;
    });
    await this.claims.settled(ctx, true);
    return made;
  }

  async find(ctx: RequestContext, id: string): Promise<Booking | null> {
    if (!isUuid(id)) return null;
    return (await repository.find(this.deps.database.app.sql, bookingScope(ctx), id)) ?? null;
  }

  /** Like `find`, one statement for all that a request asks for. */
  load(ctx: RequestContext, id: string): Promise<Booking | undefined> {
    return ctx
      .loader<string, Booking | undefined>(
        byIdLoader,
        () =>
          new DataLoader(async (ids) => {
            const byId = new Map((await repository.byIds(this.deps.database.app.sql, bookingScope(ctx), ids)).map((booking) => [booking.id, booking]));
            return ids.map((wanted) => byId.get(wanted));
          }),
      )
      .load(id);
  }

  async list(
    ctx: RequestContext,
    filter: BookingFilter | null,
    order: BookingOrder,
    first: number | null,
    after: string | null,
  ): Promise<BookingConnection> {
    const size = pageSize(first);
    const list = `bookings:${order}`;
    const position = decodeCursor(list, after, ['instant', 'uuid']);
    if (filter?.range) checkRange(filter.range, 'filter.range');
    // An id that is none leads to nothing, like one of another instance.
    if ([filter?.guideId, filter?.offerId].some((id) => id && !isUuid(id))) return toPage<Booking>([], size, () => '');
    const scope = bookingScope(ctx);
    // A colleague does not exist for a guide, not even as a filter of his own bookings.
    if (scope.kind === 'ASSIGNED_TO' && filter?.guideId && filter.guideId.toLowerCase() !== scope.guideId) return toPage<Booking>([], size, () => '');
    const bookings = await repository.page(this.deps.database.app.sql, scope, filter ?? {}, order, size + 1, position);
    return toPage(bookings, size, (booking) => encodeCursor(list, [booking.start.toISOString(), booking.id]));
  }

  assignmentsOf(ctx: RequestContext, bookingId: string): Promise<GuideAssignment[]> {
    return ctx
      .loader<string, GuideAssignment[]>(
        assignmentsLoader,
        () =>
          new DataLoader(async (bookingIds) => {
            const rows = await repository.assignments(this.deps.database.app.sql, bookingScope(ctx), bookingIds);
            return bookingIds.map((id) => rows.filter((row) => row.bookingId === id));
          }),
      )
      .load(bookingId);
  }
}
