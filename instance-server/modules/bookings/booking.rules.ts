import { InputReason, invalidInput, Refusal, StaleVersionError } from '../../platform/errors/user-error.js';
import { checkRange, instantOfLocal, type TimeRange } from '../../platform/time.js';
import { checkInteger, checkLanguage, checkOptionalEmail, checkOptionalText, checkText } from '../../platform/validation.js';
import type { AgeGroup } from '../catalogs/index.js';
import type { BookingTimeInput, CustomerInput } from './booking.input.js';
import type { LockedBooking } from './booking.repository.js';
import { type BookingAction, TRANSITIONS } from './booking.states.js';
import { InvalidTransitionError } from './booking.type.js';

/** @throws Refusal when the state does not permit the action, or somebody changed the booking meanwhile. */
export function checkChange(booking: LockedBooking, action: BookingAction, expectedVersion: number): void {
  if (booking.version !== expectedVersion) throw new Refusal(new StaleVersionError(booking.version));
  if (!(action in TRANSITIONS[booking.state])) throw new Refusal(new InvalidTransitionError(booking.state, action));
}

function instant(given: Date | null | undefined, local: string | null | undefined, timeZone: string, field: string, localField: string): Date | null {
  if (given && local) throw invalidInput(localField, InputReason.CONFLICTING, `Give ${field} or ${localField}, not both.`);
  return given ?? (local ? instantOfLocal(local, timeZone, localField) : null);
}

/** The interval meant. `durationMs` counts where no end is given. @throws Refusal */
export function resolveTime(time: BookingTimeInput, timeZone: string, durationMs: number): TimeRange {
  const start = instant(time.start, time.localStart, timeZone, 'input.time.start', 'input.time.localStart');
  if (!start) throw invalidInput('input.time.start', InputReason.REQUIRED, 'Give start or localStart.');
  const end = instant(time.end, time.localEnd, timeZone, 'input.time.end', 'input.time.localEnd') ?? new Date(start.getTime() + durationMs);
  return checkRange({ start, end }, 'input.time');
}

export function checkCustomer(customer: CustomerInput): { name: string; email: string | null; phone: string | null } {
  return {
    name: checkText(customer.name, 'input.customer.name', { max: 200 }),
    email: checkOptionalEmail(customer.email, 'input.customer.email'),
    phone: checkOptionalText(customer.phone, 'input.customer.phone', 50),
  };
}

interface Details {
  partySize?: number | null;
  language?: string | null;
  ageGroup?: AgeGroup | null;
  notes?: string | null;
}

/** Only what was given. */
export function checkDetails({ partySize, language, ageGroup, notes }: Details): { party_size?: number; language?: string; age_group?: AgeGroup; notes?: string | null } {
  return {
    ...(partySize !== null && partySize !== undefined && { party_size: checkInteger(partySize, 'input.partySize', 1, 10_000) }),
    ...(language !== null && language !== undefined && { language: checkLanguage(language, 'input.language') }),
    ...(ageGroup !== null && ageGroup !== undefined && { age_group: ageGroup }),
    ...(notes !== null && notes !== undefined && { notes: checkOptionalText(notes, 'input.notes', 5_000) }),
  };
}
