export { CoupledGuideResolver, CouplingResolver } from './coupling.resolver.js';
export { CouplingService } from './coupling.service.js';
export { GrantService } from './grant.service.js';
export { type KnownCoupling, type KnownLink, LinkDirectory } from './link.directory.js';
export { type LinkOffer, LinkService } from './link.service.js';
export { CouplingActions } from './coupling.actions.js';
export { PartnerClient, PartnerRefusal } from './partner-client.js';
export { type PartnerAction, type PartnerActions, PartnerCallError } from './partner-actions.js';
export { PartnerService } from './partner.service.js';
