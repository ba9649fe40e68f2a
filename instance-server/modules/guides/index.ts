export { GuideResolver, ViewerGuideResolver } from './guide.resolver.js';
export { guideScope, type GuideScope } from './guide.policy.js';
export { GuideService } from './guide.service.js';
export { Guide, GuidePayload } from './guide.type.js';
