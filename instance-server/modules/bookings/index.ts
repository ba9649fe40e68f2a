export { AssignmentService } from './assignment.service.js';
export { BlockedGuideResolver, GuideBlockResolver } from './block.resolver.js';
export type { AssignedInterval, ClaimGate } from './claim-gate.js';
export { bookingRepository } from './booking.repository.js';
export { TimeRangeInput } from './booking.input.js';
export { BookingResolver, GuideAssignmentResolver } from './booking.resolver.js';
export { BookingService } from './booking.service.js';
export { AssignmentVerification, Booking, Customer, GuideAssignment, GuideNotVerifiableError, GuideUnavailableError, InvalidTransitionError } from './booking.type.js';
export { PlacingService } from './placing.service.js';

