export { AuditService, type Actor, type AuditAction, type AuditRecord } from './audit.service.js';
export { AuditResolver } from './audit.resolver.js';
