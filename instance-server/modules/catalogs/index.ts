export { AgeGroup, distinctAgeGroups } from './age-group.js';
export { OfferResolver } from './offer.resolver.js';
export { OfferService } from './offer.service.js';
export { Money, Offer, VERSION_DESCRIPTION } from './offer.type.js';
