import type { RequestContext } from '../../../platform/context.js';
import type { Database, Tx } from '../../../platform/database/database.js';
import { InputReason, invalidInput, notFound } from '../../../platform/errors/user-error.js';
import { isUuid } from '../../../platform/validation.js';
import type { AuditService } from '../../audit/index.js';
import type { SettingsStore } from '../../settings/index.js';
import type { AssignmentService } from '../assignment.service.js';
import { bookingScope } from '../booking.policy.js';
import { bookingRepository as repository, type LivingAssignment, type LockedBooking } from '../booking.repository.js';
import { checkChange } from '../booking.rules.js';
import type { BookingAction } from '../booking.states.js';
import type { Booking } from '../booking.type.js';

/** What every command works with. */
export interface CommandDependencies {
  database: Database;
  audit: AuditService;
  settings: SettingsStore;
  assignments: AssignmentService;
}

const MAX_GUIDES = 50;

export function checkGuideIds(ids: readonly string[], field: string): string[] {
  if (ids.length > MAX_GUIDES) throw invalidInput(field, InputReason.OUT_OF_RANGE, `${MAX_GUIDES} guides at most.`);
  const wrong = ids.findIndex((id) => !isUuid(id));
  if (wrong >= 0) throw notFound(`${field}.${wrong}`);
  return [...new Set(ids)];
}

/** Locks guides, then the booking (the written order), and checks state and version. */
export async function lockForChange(
  ctx: RequestContext,
  tx: Tx,
  target: { bookingId: string; field: string; action: BookingAction; expectedVersion: number; moreGuideIds?: readonly string[]; guideField?: string },
): Promise<{ booking: LockedBooking; assignments: LivingAssignment[] }> {
  const { bookingId, field, action, expectedVersion, moreGuideIds = [], guideField = 'input.guideIds' } = target;
  const before = await repository.livingAssignments(tx, { bookingId });
  const known = await repository.lockGuides(tx, [...new Set([...before.map((assignment) => assignment.guideId), ...moreGuideIds])]);
  const booking = await repository.lock(tx, bookingScope(ctx), bookingId);
  if (!booking) throw notFound(field);
  // Any change of assignments raises the booking's version, so a set read before the lock is either still right or refused here.
  checkChange(booking, action, expectedVersion);
  const unknown = moreGuideIds.findIndex((id) => !known.get(id)?.active);
  if (unknown >= 0) throw notFound(guideField.endsWith('Ids') ? `${guideField}.${unknown}` : guideField);
  return { booking, assignments: await repository.livingAssignments(tx, { bookingId }) };
}

export async function bumpVersion(tx: Tx, bookingId: string, now: Date): Promise<void> {
  await tx
    .updateTable('booking')
    .set((eb) => ({ version: eb('version', '+', 1), updated_at: now }))
    .where('id', '=', bookingId)
    .execute();
}

/** Reads the result again and authorises it again, for first calls and repetitions alike. */
export async function reread(ctx: RequestContext, tx: Tx, bookingId: string, field: string): Promise<Booking> {
  const booking = await repository.find(tx, bookingScope(ctx), bookingId);
  if (!booking) throw notFound(field);
  return booking;
}
