export { CalendarResolver } from './calendar.resolver.js';
export { CalendarService } from './calendar.service.js';
export { CalendarReplicaAges } from './replica-ages.js';
