export { EligibilityResolver } from './eligibility.resolver.js';
export { EligibilityService } from './eligibility.service.js';
export { BookingRequestsResolver, GuideRequestResolver, GuideRequestsResolver } from './request.resolver.js';
export { requestMails } from './request.mail.js';
export { RequestFeed } from './request.feed.js';
export { RequestService } from './request.service.js';
export { GuideReleaseResolver, GuideTermsResolver } from './terms.resolver.js';
export { TermsService } from './terms.service.js';
