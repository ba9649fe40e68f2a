export { IdentityResolver } from './identity.resolver.js';
export { InvitationService } from './invitation.service.js';
export { LoginAttempts, type AttemptLimits } from './login-attempts.js';
export { RoleName, Viewer } from './identity.type.js';
export { SessionService } from './session.service.js';
export { ACCESS_TOKEN_SECONDS, Sessions } from './sessions.js';
export { SigningKeys } from './signing-keys.js';
export { hashPassword } from './passwords.js';
