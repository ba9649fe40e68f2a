export { AssignmentService } from './assignment.service.js';
export { TimeRangeInput } from './booking.input.js';
export { BookingResolver, GuideAssignmentResolver } from './booking.resolver.js';
export { BookingService } from './booking.service.js';
export { Customer } from './booking.type.js';
