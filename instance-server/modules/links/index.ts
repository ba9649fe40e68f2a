export { CoupledGuideResolver, CouplingResolver } from './coupling.resolver.js';
export { CouplingService } from './coupling.service.js';
export { GrantService } from './grant.service.js';
export { LinkDirectory } from './link.directory.js';
export { type LinkOffer, LinkService } from './link.service.js';
export { PartnerClient } from './partner-client.js';
export { PartnerCallError, PartnerService } from './partner.service.js';
