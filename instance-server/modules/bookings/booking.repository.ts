import { type ExpressionBuilder, sql } from 'kysely';
import type { DB } from '../../entities.js';
import type { Tx } from '../../platform/database/database.js';
import type { TimeRange } from '../../platform/time.js';
import type { AgeGroup } from '../catalogs/index.js';
import type { BookingScope } from './booking.policy.js';
import { type AssignmentVerification, Booking, BookingOrder, BookingState, CancellationOrigin, GuideAssignment } from './booking.type.js';

interface BookingRow {
  id: string;
  offer_id: string;
  start_at: Date;
  end_at: Date;
  state: string;
  party_size: number | null;
  language: string | null;
  age_group: string | null;
  notes: string | null;
  guide_demand: number;
  cancel_reason: string | null;
  cancel_origin: string | null;
  cancelled_at: Date | null;
  version: number;
  name: string;
  email: string | null;
  phone: string | null;
}

const toBooking = (row: BookingRow): Booking =>
  Object.assign(new Booking(), {
    id: row.id,
    start: row.start_at,
    end: row.end_at,
    state: row.state as BookingState,
    customer: { name: row.name, email: row.email, phone: row.phone },
    partySize: row.party_size,
    language: row.language,
    ageGroup: row.age_group as AgeGroup | null,
    notes: row.notes,
    guideDemand: row.guide_demand,
    cancellationReason: row.cancel_reason,
    cancellationOrigin: row.cancel_origin as CancellationOrigin | null,
    cancelledAt: row.cancelled_at,
    version: row.version,
    offerId: row.offer_id,
  });

/** An assignment as the services work with it. */
export interface LivingAssignment {
  id: string;
  guideId: string;
  /** Null for a block. */
  bookingId: string | null;
  start: Date;
  end: Date;
}

/** Of a booking, whatever else it is. */
export type BookedAssignment = LivingAssignment & { bookingId: string };

/** What the database says of an assignment's claim: see `AssignmentVerification`. */
export interface AssignmentClaim {
  verification: string;
  claimVersion: number;
}

/** What a booking is before a change; customer and notes stay in the database. */
export interface LockedBooking {
  id: string;
  offerId: string;
  customerId: string;
  start: Date;
  end: Date;
  state: BookingState;
  language: string | null;
  ageGroup: AgeGroup | null;
  guideDemand: number;
  version: number;
}

export interface BookingListFilter {
  range?: TimeRange | null;
  guideId?: string | null;
  offerId?: string | null;
  state?: BookingState | null;
}

function withinScope(eb: ExpressionBuilder<DB, 'booking'>, scope: BookingScope) {
  switch (scope.kind) {
    case 'ALL':
      return sql<boolean>`true`;
    case 'ASSIGNED_TO':
      return assignedTo(eb, scope.guideId);
    default:
      return sql<boolean>`false`;
  }
}

const assignedTo = (eb: ExpressionBuilder<DB, 'booking'>, guideId: string) =>
  eb.exists(
    eb
      .selectFrom('guide_assignment')
      .select(sql<number>`1`.as('one'))
      .whereRef('guide_assignment.booking_id', '=', 'booking.id')
      .where('guide_assignment.guide_id', '=', guideId)
      .where('guide_assignment.ended_at', 'is', null),
  );

const select = (tx: Tx, scope: BookingScope) =>
  tx
    .selectFrom('booking')
    .innerJoin('customer', 'customer.id', 'booking.customer_id')
    .select([
      'booking.id',
      'booking.offer_id',
      'booking.start_at',
      'booking.end_at',
      'booking.state',
      'booking.party_size',
      'booking.language',
      'booking.age_group',
      'booking.notes',
      'booking.guide_demand',
      'booking.cancel_reason',
      'booking.cancel_origin',
      'booking.cancelled_at',
      'booking.version',
      'customer.name',
      'customer.email',
      'customer.phone',
    ])
    .where((eb) => withinScope(eb as unknown as ExpressionBuilder<DB, 'booking'>, scope));

/** SQL of bookings and assignments. */
export const bookingRepository = {
  async find(tx: Tx, scope: BookingScope, id: string): Promise<Booking | undefined> {
    const row = await select(tx, scope).where('booking.id', '=', id).executeTakeFirst();
    return row && toBooking(row);
  },

  async byIds(tx: Tx, scope: BookingScope, ids: readonly string[]): Promise<Booking[]> {
    return (await select(tx, scope).where('booking.id', 'in', [...ids]).execute()).map(toBooking);
  },

  async page(
    tx: Tx,
    scope: BookingScope,
    filter: BookingListFilter,
    order: BookingOrder,
    limit: number,
    after: string[] | undefined,
  ): Promise<Booking[]> {
    const descending = order === BookingOrder.START_DESC;
    let query = select(tx, scope);
    const { range, guideId, offerId, state } = filter;
    if (range) query = query.where('booking.start_at', '<', range.end).where('booking.end_at', '>', range.start);
    if (guideId) query = query.where((eb) => assignedTo(eb as unknown as ExpressionBuilder<DB, 'booking'>, guideId));
    if (offerId) query = query.where('booking.offer_id', '=', offerId);
    if (state) query = query.where('booking.state', '=', state);
    if (after) {
      const position = sql`(${after[0]}::timestamptz, ${after[1]}::uuid)`;
      query = query.where(
        descending ? sql<boolean>`(booking.start_at, booking.id) < ${position}` : sql<boolean>`(booking.start_at, booking.id) > ${position}`,
      );
    }
    const direction = descending ? 'desc' : 'asc';
    const rows = await query.orderBy('booking.start_at', direction).orderBy('booking.id', direction).limit(limit).execute();
    return rows.map(toBooking);
  },

  /** Living assignments; of a viewer who may see his own only, his own only. */
  async assignments(tx: Tx, scope: BookingScope, bookingIds: readonly string[]): Promise<(GuideAssignment & { bookingId: string })[]> {
    if (scope.kind === 'NONE') return [];
    let query = tx
      .selectFrom('guide_assignment')
      .select(['id', 'booking_id', 'guide_id', 'start_at', 'end_at', 'verification'])
      .where('booking_id', 'in', [...bookingIds])
      .where('ended_at', 'is', null);
    if (scope.kind === 'ASSIGNED_TO') query = query.where('guide_id', '=', scope.guideId);
    const rows = await query.orderBy('start_at').orderBy('id').execute();
    return rows.map((row) =>
      Object.assign(new GuideAssignment(), {
        id: row.id,
        start: row.start_at,
        end: row.end_at,
        verification: row.verification as AssignmentVerification,
        guideId: row.guide_id,
        bookingId: row.booking_id ?? '',
      }),
    );
  },

  /** Always before the booking's own row, in the order of ids: the written lock order of everything that touches a guide's time. */
  async lockGuides(tx: Tx, guideIds: readonly string[]): Promise<Map<string, { active: boolean }>> {
    if (guideIds.length === 0) return new Map();
    const rows = await tx
      .selectFrom('guide')
      .select(['id', 'active'])
      .where('id', 'in', [...guideIds])
      .orderBy('id')
      .forNoKeyUpdate()
      .execute();
    return new Map(rows.map((row) => [row.id, { active: row.active }]));
  },

  async lock(tx: Tx, scope: BookingScope, id: string): Promise<LockedBooking | undefined> {
    const row = await tx
      .selectFrom('booking')
      .select(['id', 'offer_id', 'customer_id', 'start_at', 'end_at', 'state', 'language', 'age_group', 'guide_demand', 'version'])
      .where('id', '=', id)
      .where((eb) => withinScope(eb, scope))
      .forUpdate()
      .executeTakeFirst();
    return (
      row && {
        id: row.id,
        offerId: row.offer_id,
        customerId: row.customer_id,
        start: row.start_at,
        end: row.end_at,
        state: row.state as BookingState,
        language: row.language,
        ageGroup: row.age_group as AgeGroup | null,
        guideDemand: row.guide_demand,
        version: row.version,
      }
    );
  },

  async livingAssignments(tx: Tx, where: { bookingId: string } | { assignmentId: string }): Promise<BookedAssignment[]> {
    let query = tx.selectFrom('guide_assignment').select(['id', 'guide_id', 'booking_id', 'start_at', 'end_at']).where('ended_at', 'is', null);
    query = 'bookingId' in where ? query.where('booking_id', '=', where.bookingId) : query.where('id', '=', where.assignmentId);
    const rows = await query.orderBy('id').execute();
    return rows.flatMap((row) => (row.booking_id ? [{ id: row.id, guideId: row.guide_id, bookingId: row.booking_id, start: row.start_at, end: row.end_at }] : []));
  },

  async insertAssignment(tx: Tx, assignment: LivingAssignment, blockNote: string | null): Promise<AssignmentClaim> {
    const row = await tx
      .insertInto('guide_assignment')
      .values({
        id: assignment.id,
        guide_id: assignment.guideId,
        booking_id: assignment.bookingId,
        kind: assignment.bookingId === null ? 'BLOCK' : 'BOOKING',
        block_note: blockNote,
        start_at: assignment.start,
        end_at: assignment.end,
      })
      .returning(['verification', 'claim_version'])
      .executeTakeFirstOrThrow();
    return { verification: row.verification, claimVersion: row.claim_version };
  },

  async moveAssignment(tx: Tx, id: string, range: TimeRange): Promise<AssignmentClaim> {
    const row = await tx
      .updateTable('guide_assignment')
      .set((eb) => ({ start_at: range.start, end_at: range.end, version: eb('version', '+', 1) }))
      .where('id', '=', id)
      .returning(['verification', 'claim_version'])
      .executeTakeFirstOrThrow();
    return { verification: row.verification, claimVersion: row.claim_version };
  },

  async endAssignment(tx: Tx, id: string, now: Date): Promise<void> {
    await tx
      .updateTable('guide_assignment')
      .set((eb) => ({ ended_at: now, version: eb('version', '+', 1) }))
      .where('id', '=', id)
      .execute();
  },
};
