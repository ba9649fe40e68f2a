export { GuideReleaseResolver, GuideTermsResolver } from './terms.resolver.js';
export { TermsService } from './terms.service.js';
