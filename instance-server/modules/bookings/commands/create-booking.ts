import { newId } from '../../../platform/crypto.js';
import type { RequestContext } from '../../../platform/context.js';
import { InputReason, invalidInput, notFound } from '../../../platform/errors/user-error.js';
import { once } from '../../../platform/idempotency.js';
import { isUuid } from '../../../platform/validation.js';
import type { CreateBookingInput } from '../booking.input.js';
import { bookingRepository as repository } from '../booking.repository.js';
import { checkCustomer, checkDetails, resolveTime } from '../booking.rules.js';
import { type Booking, BookingState } from '../booking.type.js';
import { checkGuideIds, type CommandDependencies, reread } from './shared.js';

/** A booking is made, with its customer and, if wanted, its guides: all of it or nothing. */
export function createBooking(deps: CommandDependencies, ctx: RequestContext, input: CreateBookingInput): Promise<Booking> {
  const { idempotencyKey, ...rest } = input;
  if (!isUuid(input.offerId)) throw notFound('input.offerId');
  const customer = checkCustomer(input.customer);
  const details = checkDetails(input);
  const guideIds = checkGuideIds(input.guideIds, 'input.guideIds');
  return deps.database.app.transaction(async (tx) => {
    const { outcome } = await once(ctx, tx, 'createBooking', idempotencyKey, rest, async () => {
      const offer = await tx
        .selectFrom('offer')
        .select(['duration_minutes', 'guide_demand', 'active'])
        .where('id', '=', input.offerId)
        .executeTakeFirst();
      if (!offer) throw notFound('input.offerId');
      if (!offer.active) throw invalidInput('input.offerId', InputReason.CONFLICTING, 'This offer cannot be booked at present.');
      const range = resolveTime(input.time, deps.settings.current.timeZone, offer.duration_minutes * 60_000);
      const known = await repository.lockGuides(tx, guideIds);
      const unknown = guideIds.findIndex((id) => !known.get(id)?.active);
      if (unknown >= 0) throw notFound(`input.guideIds.${unknown}`);
      const customerId = newId();
      await tx.insertInto('customer').values({ id: customerId, ...customer }).execute();
      const bookingId = newId();
      await tx
        .insertInto('booking')
        .values({
          id: bookingId,
          offer_id: input.offerId,
          customer_id: customerId,
          start_at: range.start,
          end_at: range.end,
          state: BookingState.BOOKED,
          guide_demand: offer.guide_demand,
          ...details,
        })
        .execute();
      await deps.audit.recordFor(ctx, tx, {
        action: 'booking.created',
        subjectType: 'booking',
        subjectId: bookingId,
        after: { offerId: input.offerId, start: range.start, end: range.end, partySize: details.party_size ?? null },
      });
      for (const guideId of guideIds) await deps.assignments.make(ctx, tx, bookingId, guideId, range);
      return { bookingId };
    });
    return reread(ctx, tx, outcome.bookingId, 'input.idempotencyKey');
  });
}
