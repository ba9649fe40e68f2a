import { type SelectQueryBuilder, type Selectable, sql } from 'kysely';
import type { DB } from '../../entities.js';
import type { Tx } from '../../platform/database/database.js';
import type { AgeGroup } from '../catalogs/index.js';
import type { GuideScope } from '../guides/index.js';
import { GuideRequest, GuideRequestState, type GuideRequestWithdrawal } from './request.type.js';

type RequestRow = Selectable<DB['guide_request']>;

/** At an instant: an open request whose deadline has come is expired, whether that is written down or not. */
function toRequest(row: RequestRow, now: Date): GuideRequest {
  const state = row.state as GuideRequestState;
  return Object.assign(new GuideRequest(), {
    id: row.id,
    state: state === GuideRequestState.OPEN && row.deadline <= now ? GuideRequestState.EXPIRED : state,
    withdrawal: row.withdrawal as GuideRequestWithdrawal | null,
    start: row.start_at,
    end: row.end_at,
    language: row.language,
    ageGroup: row.age_group as AgeGroup | null,
    deadline: row.deadline,
    createdAt: row.created_at,
    closedAt: row.closed_at,
    offerId: row.offer_id,
    guideId: row.guide_id,
    bookingId: row.booking_id,
  });
}

const within = (scope: GuideScope) =>
  scope.kind === 'ALL' ? sql<boolean>`true` : scope.kind === 'ONE' ? sql<boolean>`guide_request.guide_id = ${scope.guideId}` : sql<boolean>`false`;

type Requests = SelectQueryBuilder<DB, 'guide_request', RequestRow>;

function inState(query: Requests, state: GuideRequestState, now: Date): Requests {
  switch (state) {
    case GuideRequestState.OPEN:
      return query.where('state', '=', state).where('deadline', '>', now);
    case GuideRequestState.EXPIRED:
      return query.where((eb) => eb.or([eb('state', '=', state), eb.and([eb('state', '=', GuideRequestState.OPEN), eb('deadline', '<=', now)])]));
    default:
      return query.where('state', '=', state);
  }
}

export interface NewRequest {
  id: string;
  bookingId: string;
  guideId: string;
  offerId: string;
  start: Date;
  end: Date;
  language: string | null;
  ageGroup: AgeGroup | null;
  deadline: Date;
}

export interface RequestListFilter {
  guideId?: string | null;
  bookingId?: string | null;
  state?: GuideRequestState | null;
}

/** SQL of requests. `now` decides what is expired. */
export const requestRepository = {
  async byIds(tx: Tx, scope: GuideScope, ids: readonly string[], now: Date): Promise<GuideRequest[]> {
    const rows = await tx
      .selectFrom('guide_request')
      .selectAll()
      .where('id', 'in', [...ids])
      .where(within(scope))
      .execute();
    return rows.map((row) => toRequest(row, now));
  },

  async lock(tx: Tx, id: string, now: Date): Promise<GuideRequest | undefined> {
    const row = await tx.selectFrom('guide_request').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
    return row && toRequest(row, now);
  },

  async page(tx: Tx, scope: GuideScope, filter: RequestListFilter, limit: number, after: string[] | undefined, now: Date): Promise<GuideRequest[]> {
    let query: Requests = tx.selectFrom('guide_request').selectAll().where(within(scope));
    if (filter.guideId) query = query.where('guide_id', '=', filter.guideId);
    if (filter.bookingId) query = query.where('booking_id', '=', filter.bookingId);
    if (filter.state) query = inState(query, filter.state, now);
    if (after) query = query.where(sql<boolean>`(created_at, id) < (${after[0]}::timestamptz, ${after[1]}::uuid)`);
    const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute();
    return rows.map((row) => toRequest(row, now));
  },

  /** Of each guide, those whose deadlines come first. */
  async openOfGuides(tx: Tx, guideIds: readonly string[], limit: number, now: Date): Promise<GuideRequest[]> {
    const { rows } = await sql<RequestRow>`
      select r.* from unnest(${[...guideIds]}::uuid[]) as g (id)
      cross join lateral (
        select * from guide_request where guide_id = g.id and state = 'OPEN' and deadline > ${now} order by deadline, id limit ${limit}
      ) r
      order by r.guide_id, r.deadline, r.id`.execute(tx);
    return rows.map((row) => toRequest(row, now));
  },

  /** Of each booking, the newest. */
  async ofBookings(tx: Tx, bookingIds: readonly string[], limit: number, now: Date): Promise<GuideRequest[]> {
    const { rows } = await sql<RequestRow>`
      select r.* from unnest(${[...bookingIds]}::uuid[]) as b (id)
      cross join lateral (
        select * from guide_request where booking_id = b.id order by created_at desc, id desc limit ${limit}
      ) r
      order by r.booking_id, r.created_at desc, r.id desc`.execute(tx);
    return rows.map((row) => toRequest(row, now));
  },

  /** What was never answered is written down as expired, so that the guide can be asked again. */
  async expire(tx: Tx, bookingId: string, now: Date): Promise<void> {
    await tx
      .updateTable('guide_request')
      .set({ state: GuideRequestState.EXPIRED })
      .where('booking_id', '=', bookingId)
      .where('state', '=', GuideRequestState.OPEN)
      .where('deadline', '<=', now)
      .execute();
  },

  /** Guides who are asked for this booking and have not answered yet. */
  async asked(tx: Tx, bookingId: string, guideIds: readonly string[]): Promise<string[]> {
    const rows = await tx
      .selectFrom('guide_request')
      .select('guide_id')
      .where('booking_id', '=', bookingId)
      .where('guide_id', 'in', [...guideIds])
      .where('state', '=', GuideRequestState.OPEN)
      .execute();
    return rows.map((row) => row.guide_id);
  },

  async insert(tx: Tx, requests: readonly NewRequest[], now: Date): Promise<void> {
    await tx
      .insertInto('guide_request')
      .values(
        requests.map((request) => ({
          id: request.id,
          booking_id: request.bookingId,
          guide_id: request.guideId,
          offer_id: request.offerId,
          start_at: request.start,
          end_at: request.end,
          language: request.language,
          age_group: request.ageGroup,
          deadline: request.deadline,
          state: GuideRequestState.OPEN,
          created_at: now,
        })),
      )
      .execute();
  },

  /** Whether it was open until now. Of several who close it at once, the first one does. */
  async close(tx: Tx, scope: GuideScope, id: string, to: { state: GuideRequestState; withdrawal?: GuideRequestWithdrawal }, now: Date): Promise<boolean> {
    const closed = await tx
      .updateTable('guide_request')
      .set({ state: to.state, withdrawal: to.withdrawal ?? null, closed_at: now })
      .where('id', '=', id)
      .where(within(scope))
      .where('state', '=', GuideRequestState.OPEN)
      .where('deadline', '>', now)
      .returning('id')
      .executeTakeFirst();
    return closed !== undefined;
  },
};
