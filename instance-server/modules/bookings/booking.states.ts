/** States of a booking. COMPLETED is not stored: a booked one whose end has passed is history by its times. */
export const BOOKING_STATES = ['BOOKED', 'CANCELLED'] as const;
export type BookingStateName = (typeof BOOKING_STATES)[number];

export const BOOKING_ACTIONS = ['rebook', 'assign', 'reset', 'cancel', 'delete'] as const;
export type BookingAction = (typeof BOOKING_ACTIONS)[number];

/** Every permitted transition; what is not listed is refused. `null` means that the record is gone afterwards. */
export const TRANSITIONS: Readonly<Record<BookingStateName, Readonly<Partial<Record<BookingAction, BookingStateName | null>>>>> = {
  BOOKED: { rebook: 'BOOKED', assign: 'BOOKED', reset: 'BOOKED', cancel: 'CANCELLED', delete: null },
  CANCELLED: { delete: null },
};
