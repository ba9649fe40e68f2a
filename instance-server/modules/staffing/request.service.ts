import DataLoader from 'dataloader';
import { newId } from '../../platform/crypto.js';
import type { RequestContext } from '../../platform/context.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { AlreadyExistsError, InputReason, invalidInput, notFound, Refusal } from '../../platform/errors/user-error.js';
import { once } from '../../platform/idempotency.js';
import { enqueue } from '../../platform/jobs.js';
import { decodeCursor, encodeCursor, pageSize, toPage } from '../../platform/paging.js';
import { checkRange, type TimeRange } from '../../platform/time.js';
import { isUuid } from '../../platform/validation.js';
import type { AuditService } from '../audit/index.js';
import type { PlacingService } from '../bookings/index.js';
import { guideScope } from '../guides/index.js';
import { requestRepository as repository } from './request.repository.js';
import {
  type AcceptGuideRequestInput,
  type GuideRequest,
  GuideRequestClosedError,
  type GuideRequestConnection,
  type GuideRequestFilter,
  GuideRequestState,
  GuideRequestWithdrawal,
  type RequestGuidesInput,
} from './request.type.js';

const LIST = 'guideRequests';
const MAX_GUIDES = 50;
/** Most that are listed of one guide or one booking without paging. */
export const LISTED_REQUESTS = 100;

const openLoader = {};
const bookingLoader = {};

function checkGuideIds(ids: readonly string[]): string[] {
  if (ids.length === 0) throw invalidInput('input.guideIds', InputReason.REQUIRED, 'Name one guide at least.');
  if (ids.length > MAX_GUIDES) throw invalidInput('input.guideIds', InputReason.OUT_OF_RANGE, `${MAX_GUIDES} guides at most.`);
  const wrong = ids.findIndex((id) => !isUuid(id));
  if (wrong >= 0) throw notFound(`input.guideIds.${wrong}`);
  return [...new Set(ids.map((id) => id.toLowerCase()))];
}

const overlaps = (one: TimeRange, other: TimeRange): boolean => one.start < other.end && one.end > other.start;

/** Guides that are still needed for all of `range`: each who covers any of it takes a place there. */
const placesLeft = (demand: number, assignments: readonly TimeRange[], range: TimeRange): number =>
  demand - assignments.filter((assignment) => overlaps(assignment, range)).length;

/**
 * Responsible for requests to guides: staff ask several, the first who accept are assigned. What else closes requests (the booking
 * became another, or has its guides) is done by a trigger on the booking, so that it holds for every way a booking changes.
 */
export class RequestService {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
    private readonly placing: PlacingService,
  ) {}

  async list(ctx: RequestContext, filter: GuideRequestFilter | null, first: number | null, after: string | null): Promise<GuideRequestConnection> {
    const size = pageSize(first);
    const position = decodeCursor(LIST, after, ['instant', 'uuid']);
    // An id that is none leads to nothing, like one of another instance.
    if ([filter?.guideId, filter?.bookingId].some((id) => id && !isUuid(id))) return toPage<GuideRequest>([], size, () => '');
    const requests = await repository.page(this.database.app.sql, guideScope(ctx), filter ?? {}, size + 1, position, ctx.now());
    return toPage(requests, size, (request) => encodeCursor(LIST, [request.createdAt.toISOString(), request.id]));
  }

  /** One statement for all guides that a request asks for. */
  openOf(ctx: RequestContext, guideId: string): Promise<GuideRequest[]> {
    return ctx
      .loader<string, GuideRequest[]>(
        openLoader,
        () =>
          new DataLoader(async (guideIds) => {
            const requests = Map.groupBy(await repository.openOfGuides(this.database.app.sql, guideIds, LISTED_REQUESTS, ctx.now()), (request) => request.guideId);
            return guideIds.map((id) => requests.get(id) ?? []);
          }),
      )
      .load(guideId);
  }

  /** One statement for all bookings that a request asks for. */
  ofBooking(ctx: RequestContext, bookingId: string): Promise<GuideRequest[]> {
    return ctx
      .loader<string, GuideRequest[]>(
        bookingLoader,
        () =>
          new DataLoader(async (bookingIds) => {
            const requests = Map.groupBy(await repository.ofBookings(this.database.app.sql, bookingIds, LISTED_REQUESTS, ctx.now()), (request) => request.bookingId);
            return bookingIds.map((id) => requests.get(id) ?? []);
          }),
      )
      .load(bookingId);
  }

  /** Asks all of them or nobody. */
  ask(ctx: RequestContext, input: RequestGuidesInput): Promise<GuideRequest[]> {
    const { idempotencyKey, ...rest } = input;
    if (!isUuid(input.bookingId)) throw notFound('input.bookingId');
    const guideIds = checkGuideIds(input.guideIds);
    const part = input.range ? checkRange(input.range, 'input.range') : undefined;
    return this.database.app.transaction(async (tx) => {
      const { outcome } = await once(ctx, tx, 'requestGuides', idempotencyKey, rest, async () => ({ requestIds: await this.#ask(ctx, tx, input, guideIds, part) }));
      const requests = new Map((await repository.byIds(tx, guideScope(ctx), outcome.requestIds, ctx.now())).map((request) => [request.id, request]));
      // A repetition after the booking was deleted finds none.
      return outcome.requestIds.map((id) => requests.get(id) ?? raise(notFound('input.idempotencyKey')));
    });
  }

  async #ask(ctx: RequestContext, tx: Tx, input: RequestGuidesInput, guideIds: readonly string[], part: TimeRange | undefined): Promise<string[]> {
    const { booking, assignments, activeGuideIds } = await this.placing.lock(tx, {
      bookingId: input.bookingId,
      guideIds,
      field: 'input.bookingId',
      expectedVersion: input.expectedVersion,
    });
    const { start, end } = part ?? booking;
    if (start < booking.start || end > booking.end) throw invalidInput('input.range', InputReason.OUT_OF_RANGE, 'The part must lie within the booking.');
    if (input.deadline <= ctx.now() || input.deadline > start) {
      throw invalidInput('input.deadline', InputReason.OUT_OF_RANGE, 'The deadline must come after now, and not after the tour begins.');
    }
    if (placesLeft(booking.guideDemand, assignments, { start, end }) <= 0) {
      throw invalidInput('input.bookingId', InputReason.CONFLICTING, 'This booking has all the guides it needs then.');
    }
    refuseAt(guideIds, (id) => !activeGuideIds.has(id), notFound);
    const leading = new Set(assignments.filter((assignment) => overlaps(assignment, { start, end })).map((assignment) => assignment.guideId));
    refuseAt(guideIds, (id) => leading.has(id), (field) => invalidInput(field, InputReason.CONFLICTING, 'This guide leads it already.'));
    await repository.expire(tx, booking.id, ctx.now());
    const asked = new Set(await repository.asked(tx, booking.id, guideIds));
    refuseAt(guideIds, (id) => asked.has(id), (field) => new Refusal(new AlreadyExistsError(field)));
    const { id: bookingId, offerId, language, ageGroup } = booking;
    const requests = guideIds.map((guideId) => ({ id: newId(), bookingId, guideId, offerId, start, end, language, ageGroup, deadline: input.deadline }));
    await repository.insert(tx, requests, ctx.now());
    for (const { id: requestId } of requests) await enqueue(tx, 'send-guide-request', { requestId }, `guide-request:${requestId}`);
    await this.audit.recordFor(ctx, tx, {
      action: 'booking.guides-requested',
      subjectType: 'booking',
      subjectId: booking.id,
      after: { guideIds, start, end, deadline: input.deadline },
    });
    return requests.map(({ id }) => id);
  }

  /** The first who accept are assigned, up to the booking's demand. */
  accept(ctx: RequestContext, input: AcceptGuideRequestInput): Promise<GuideRequest> {
    const { idempotencyKey, ...rest } = input;
    if (!isUuid(input.requestId)) throw notFound('input.requestId');
    return this.database.app.transaction(async (tx) => {
      await once(ctx, tx, 'acceptGuideRequest', idempotencyKey, rest, async () => {
        await this.#accept(ctx, tx, input.requestId);
        return {};
      });
      return this.#reread(ctx, tx, input.requestId);
    });
  }

  async #accept(ctx: RequestContext, tx: Tx, requestId: string): Promise<void> {
    // A closed one is told before any lock: its booking may take no guides any more.
    const { bookingId, guideId } = open(await this.#reread(ctx, tx, requestId));
    const { booking, assignments, activeGuideIds } = await this.placing.lock(tx, { bookingId, guideIds: [guideId], field: 'input.requestId' });
    const now = ctx.now();
    // Whoever was first has closed it meanwhile.
    const request = open((await repository.lock(tx, requestId, now)) ?? raise(notFound('input.requestId')));
    if (!activeGuideIds.has(guideId)) throw invalidInput('input.requestId', InputReason.CONFLICTING, 'You lead no tours at present.');
    // The trigger has closed it then, unless another server's clock was past the deadline already.
    if (placesLeft(booking.guideDemand, assignments, request) <= 0) {
      throw new Refusal(new GuideRequestClosedError({ state: GuideRequestState.WITHDRAWN, withdrawal: GuideRequestWithdrawal.FILLED }));
    }
    await repository.close(tx, guideScope(ctx), requestId, { state: GuideRequestState.ACCEPTED }, now);
    await this.audit.recordFor(ctx, tx, { action: 'request.accepted', subjectType: 'request', subjectId: requestId, after: { bookingId, guideId } });
    await this.placing.place(ctx, tx, bookingId, guideId, { start: request.start, end: request.end });
  }

  decline(ctx: RequestContext, requestId: string): Promise<GuideRequest> {
    return this.#close(ctx, requestId, { state: GuideRequestState.DECLINED });
  }

  withdraw(ctx: RequestContext, requestId: string): Promise<GuideRequest> {
    return this.#close(ctx, requestId, { state: GuideRequestState.WITHDRAWN, withdrawal: GuideRequestWithdrawal.BY_STAFF });
  }

  async #close(ctx: RequestContext, requestId: string, to: { state: GuideRequestState.DECLINED | GuideRequestState.WITHDRAWN; withdrawal?: GuideRequestWithdrawal }): Promise<GuideRequest> {
    if (!isUuid(requestId)) throw notFound('input.requestId');
    return this.database.app.transaction(async (tx) => {
      const closed = await repository.close(tx, guideScope(ctx), requestId, to, ctx.now());
      const request = await this.#reread(ctx, tx, requestId);
      if (!closed) throw new Refusal(new GuideRequestClosedError(request));
      const action = to.state === GuideRequestState.DECLINED ? 'request.declined' : 'request.withdrawn';
      await this.audit.recordFor(ctx, tx, { action, subjectType: 'request', subjectId: requestId, after: { bookingId: request.bookingId, guideId: request.guideId } });
      return request;
    });
  }

  async #reread(ctx: RequestContext, tx: Tx, requestId: string): Promise<GuideRequest> {
    const [request] = await repository.byIds(tx, guideScope(ctx), [requestId], ctx.now());
    if (!request) throw notFound('input.requestId');
    return request;
  }
}

function raise(error: Error): never {
  throw error;
}

function open(request: GuideRequest): GuideRequest {
  if (request.state !== GuideRequestState.OPEN) throw new Refusal(new GuideRequestClosedError(request));
  return request;
}

/** Refuses the first guide that `isWrong` holds of, by his place in the input. */
function refuseAt(guideIds: readonly string[], isWrong: (guideId: string) => boolean, refusal: (field: string) => Refusal): void {
  const wrong = guideIds.findIndex(isWrong);
  if (wrong >= 0) throw refusal(`input.guideIds.${wrong}`);
}
