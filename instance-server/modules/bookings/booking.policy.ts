import type { RequestContext } from '../../platform/context.js';

/** Which bookings a viewer reaches. The default is none. */
export type BookingScope = { kind: 'ALL' } | { kind: 'ASSIGNED_TO'; guideId: string } | { kind: 'NONE' };

/** Source: DOMAIN §2 "Who sees what", lines "booking list": staff all of the house, a guide those he is assigned to. */
export function bookingScope(ctx: RequestContext): BookingScope {
  const { viewer } = ctx;
  if (viewer.kind !== 'ACCOUNT') return { kind: 'NONE' };
  switch (viewer.role) {
    case 'STAFF':
    case 'ADMINISTRATOR':
      return { kind: 'ALL' };
    case 'GUIDE':
      return viewer.guideId ? { kind: 'ASSIGNED_TO', guideId: viewer.guideId } : { kind: 'NONE' };
    default:
      return { kind: 'NONE' };
  }
}
