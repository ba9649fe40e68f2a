export { GuideResolver, ViewerGuideResolver } from './guide.resolver.js';
export { guideScope, type GuideScope } from './guide.policy.js';
export { GuideService, type NewProfile } from './guide.service.js';
export { Guide, GuidePayload } from './guide.type.js';
export { isBic, isIban } from './bank-data.js';
export { PROFILE_FIELDS, type Profile, type ProfileField, stampProfile } from './profile.js';
export { byGuideAndRange, type OfGuide } from './range-loader.js';
