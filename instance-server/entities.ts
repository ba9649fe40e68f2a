import type { InferKyselyDB } from '@mikro-orm/postgresql';
import { AuditEntryEntity } from './modules/audit/audit.entity.js';
import { AbsenceEntity, AvailabilityRuleEntity, HolidayEntity, IndividualAvailabilityEntity } from './modules/availability/availability.entity.js';
import { BookingEntity, CustomerEntity, GuideAssignmentEntity } from './modules/bookings/booking.entity.js';
import { AssignmentDisputeEntity, ClaimEntity } from './modules/claims/claim.entity.js';
import { OfferEntity } from './modules/catalogs/offer.entity.js';
import { GuideAliasEntity, GuideEntity, GuideOfferEntity, ProfileStampEntity } from './modules/guides/guide.entity.js';
import { AccountEntity, AccountRoleEntity } from './modules/identity/account.entity.js';
import {
  InvitationEntity,
  LoginAttemptEntity,
  RefreshTokenEntity,
  SessionEntity,
  SessionSubscriptionEntity,
  SigningKeyEntity,
} from './modules/identity/session.entity.js';
import { CouplingEntity, LinkEntity, LinkKeyEntity, UsedTokenEntity } from './modules/links/link.entity.js';
import { ForeignBookingEntity, LostBookingEntity, OutboxEntity, SyncPeerEntity, SyncStateEntity } from './modules/replication/replication.entity.js';
import { SettingsEntity } from './modules/settings/settings.entity.js';
import { GuideLimitsEntity, GuideRequestEntity } from './modules/staffing/staffing.entity.js';
import { IdempotencyKeyEntity } from './platform/idempotency.entity.js';

/** Every table of an instance's database. */
export const entities = [
  SettingsEntity,
  AccountEntity,
  AccountRoleEntity,
  SessionEntity,
  RefreshTokenEntity,
  SessionSubscriptionEntity,
  InvitationEntity,
  SigningKeyEntity,
  LoginAttemptEntity,
  GuideEntity,
  GuideOfferEntity,
  GuideAliasEntity,
  ProfileStampEntity,
  OfferEntity,
  CustomerEntity,
  BookingEntity,
  GuideAssignmentEntity,
  AvailabilityRuleEntity,
  IndividualAvailabilityEntity,
  AbsenceEntity,
  HolidayEntity,
  GuideLimitsEntity,
  GuideRequestEntity,
  AuditEntryEntity,
  IdempotencyKeyEntity,
  LinkEntity,
  LinkKeyEntity,
  CouplingEntity,
  UsedTokenEntity,
  SyncStateEntity,
  SyncPeerEntity,
  OutboxEntity,
  ForeignBookingEntity,
  LostBookingEntity,
  ClaimEntity,
  AssignmentDisputeEntity,
] as const;

/** Tables and columns as the query builder knows them, inferred from the definitions above. */
export type DB = InferKyselyDB<(typeof entities)[number]>;
