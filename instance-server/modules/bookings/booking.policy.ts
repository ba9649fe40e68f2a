import type { RequestContext } from '../../platform/context.js';
import { guideScope } from '../guides/index.js';

/** Which bookings a viewer reaches. The default is none. */
export type BookingScope = { kind: 'ALL' } | { kind: 'ASSIGNED_TO'; guideId: string } | { kind: 'NONE' };

/** Source: DOMAIN §2 "Who sees what", lines "booking list": staff all of the house, a guide those he is assigned to. */
export function bookingScope(ctx: RequestContext): BookingScope {
  const scope = guideScope(ctx);
  return scope.kind === 'ONE' ? { kind: 'ASSIGNED_TO', guideId: scope.guideId } : scope;
}
