import type { Logger } from 'pino';
import type { InstanceConfig } from './config.js';
import { FederationResolver } from './federation/federation.resolver.js';
import { AuditResolver, AuditService } from './modules/audit/index.js';
import { AssignmentService, BlockedGuideResolver, BookingResolver, BookingService, GuideAssignmentResolver, GuideBlockResolver, PlacingService } from './modules/bookings/index.js';
import { AbsenceService, AvailabilityChangesResolver, AvailabilityResolver, AvailabilityService, HolidayService, IndividualAvailabilityService, RuleService } from './modules/availability/index.js';
import { CalendarReplicaAges, CalendarResolver, CalendarService } from './modules/calendar/index.js';
import { composeClaims, ConflictResolver } from './modules/claims/index.js';
import { OfferResolver, OfferService } from './modules/catalogs/index.js';
import { ProfileKind, RestampService, RuleKind } from './modules/convergence/index.js';
import { GuideResolver, GuideService, ViewerGuideResolver } from './modules/guides/index.js';
import { AccountResolver, AccountService, IdentityResolver, InvitationService, LoginAttempts, Sessions, SessionService, SigningKeys } from './modules/identity/index.js';
import {
  CoupledGuideResolver,
  CouplingActions,
  CouplingEndings,
  CouplingLifeCycle,
  CouplingResolver,
  CouplingService,
  CouplingStates,
  GrantService,
  LinkDirectory,
  LinkKeys,
  LinkNotices,
  LinkService,
  type PartnerActions,
  PartnerClient,
  PartnerService,
} from './modules/links/index.js';
import { AssignmentKind, CouplingKind, LostBookingResolver, LostBookingService, Replication } from './modules/replication/index.js';
import { SettingsResolver, SettingsStore } from './modules/settings/index.js';
import {
  BookingRequestsResolver,
  EligibilityResolver,
  EligibilityService,
  GuideReleaseResolver,
  GuideRequestResolver,
  GuideRequestsResolver,
  GuideTermsResolver,
  RequestFeed,
  RequestService,
  TermsService,
} from './modules/staffing/index.js';
import type { Clock } from './platform/clock.js';
import { InstanceSecret } from './platform/crypto.js';
import { Database } from './platform/database/database.js';
import { EventHub } from './platform/events/events.js';
import { pageLimits } from './platform/paging.js';
import { Stamps } from './platform/stamps.js';
import { TokenVerifier } from './platform/tokens.js';

/** Every service of one instance, wired once. */
export type Instance = Awaited<ReturnType<typeof composeInstance>>;

type ResolverClass = abstract new (...args: never[]) => object;

/** Connects to the database, loads what is held in memory and wires services and resolvers. */
export async function composeInstance(config: InstanceConfig, logger: Logger, clock: Clock, ownEndpoint: () => string, sdl: () => string) {
  pageLimits.most = config.LIMIT_PAGE_SIZE;
  const secret = new InstanceSecret(config.INSTANCE_SECRET);
  const database = await Database.open({
    url: config.DATABASE_URL,
    secret,
    poolSize: config.DATABASE_POOL_SIZE,
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
  });
  const events = new EventHub(database.workerUrl, logger);
  const settings = new SettingsStore(database, events);
  const { code } = await settings.load();
  await events.start();
  const keys = new SigningKeys(database, secret, clock, events);
  await keys.load();
  const verifier = new TokenVerifier();
  const sessions = new Sessions(database, keys, verifier, events, clock, code);
  const audit = new AuditService();
  const attempts = new LoginAttempts(database, secret, {
    perAccountAndAddress: config.LIMIT_LOGIN_PER_ACCOUNT_AND_ADDRESS,
    perAddress: config.LIMIT_LOGIN_PER_ADDRESS,
    perAccount: config.LIMIT_LOGIN_PER_ACCOUNT,
  });
  const sessionService = new SessionService(database, sessions, attempts, audit, settings);
  const invitations = new InvitationService(database, audit);
  const offers = new OfferService(database, audit, settings);
  const stamps = new Stamps(code);
  const guides = new GuideService(database, audit, offers, stamps);
  const availability = new AvailabilityService(database);
  const holidays = new HolidayService(database, audit, settings, stamps);
  const rules = new RuleService(database, audit, settings, stamps);
  const individual = new IndividualAvailabilityService(database, audit, settings, guides);
  const calendars = new CalendarService(database, guides, settings, events, sessions);
  const directory = new LinkDirectory(database, secret, clock, events);
  await directory.fresh();
  const grants = new GrantService(directory, verifier, clock, code, new CalendarReplicaAges(database, clock));
  const partners = new PartnerClient(clock, code);
  const claims = composeClaims({
    database,
    directory,
    partners,
    events,
    settings,
    audit,
    clock,
    code,
    limits: { number: config.LIMIT_CLAIMS_PER_GUIDE, days: config.LIMIT_CLAIM_DAYS, horizonDays: config.LIMIT_CLAIM_HORIZON_DAYS },
    hasGreeted: (linkId, incarnation) => replication.heartbeats.hasGreeted(linkId, incarnation),
  });
  const assignments = new AssignmentService(audit, claims.gate);
  const bookings = new BookingService({ database, audit, settings, assignments }, claims.gate);
  const requests = new RequestService(database, audit, new PlacingService(assignments));
  // A keeper that leaves hands its claims over.
  const endings = new CouplingEndings(audit, (tx, couplingId, actor) => claims.keepers.leave(tx, couplingId, actor), (guideId) => claims.keepers.handOver(guideId));
  const couplings = new CouplingService(database, directory, partners, audit, guides, endings, code);
  const couplingStates = new CouplingStates(directory, endings, audit, code);
  const couplingLifeCycle = new CouplingLifeCycle(database, directory, partners, endings, audit);
  const linkKeys = new LinkKeys(database, directory, partners, secret, audit, clock);
  const linkNotices = new LinkNotices(database, directory, partners, clock);
  const links = new LinkService(database, directory, partners, linkKeys, linkNotices, endings, settings, audit, clock, ownEndpoint);
  // What replicates, by the modules it is of; and what partners may ask for, likewise.
  const replication = new Replication(
    {
      database,
      directory,
      partners,
      audit,
      events,
      clock,
      logger,
      heartbeatMs: config.SYNC_HEARTBEAT_MS,
      digestMs: config.SYNC_DIGEST_MS,
      greeted: () => claims.patience.lookAfterOwn(),
    },
    [
      new CouplingKind(couplingStates, clock),
      new AssignmentKind(config.LIMIT_FOREIGN_BOOKINGS),
      new ProfileKind(stamps, audit, code),
      new RuleKind(stamps, audit, code, config.LIMIT_FOREIGN_RULES),
      ...claims.kinds,
    ],
  );
  const partnerActions: PartnerActions = new Map([
    ...new CouplingActions(directory, audit, endings, couplingStates, code).actions(),
    ...linkKeys.actions(),
    ...replication.actions,
    ...claims.actions,
  ]);
  const partnerService = new PartnerService(database, directory, verifier, clock, code, partnerActions, (call) => {
    replication.metrics.refused(call.partner, call.code, 'in');
    logger.warn(call, 'a partner call was refused');
  });

  const resolvers = new Map<ResolverClass, object>([
    [FederationResolver, new FederationResolver(guides, sdl)],
    [SettingsResolver, new SettingsResolver(settings)],
    [IdentityResolver, new IdentityResolver(sessionService, invitations, database, settings)],
    [AccountResolver, new AccountResolver(new AccountService(database, sessionService, attempts, audit, settings))],
    [OfferResolver, new OfferResolver(offers)],
    [GuideResolver, new GuideResolver(guides)],
    [ViewerGuideResolver, new ViewerGuideResolver(guides)],
    [BookingResolver, new BookingResolver(bookings, offers)],
    [GuideBlockResolver, new GuideBlockResolver(bookings, guides)],
    [BlockedGuideResolver, new BlockedGuideResolver(bookings)],
    [GuideAssignmentResolver, new GuideAssignmentResolver(guides)],
    [GuideTermsResolver, new GuideTermsResolver(new TermsService(database, audit, guides))],
    [GuideReleaseResolver, new GuideReleaseResolver(offers)],
    [GuideRequestResolver, new GuideRequestResolver(requests, offers, guides, bookings, settings)],
    [GuideRequestsResolver, new GuideRequestsResolver(requests)],
    [EligibilityResolver, new EligibilityResolver(new EligibilityService(database, bookings, offers, availability, settings), guides)],
    [BookingRequestsResolver, new BookingRequestsResolver(requests)],
    [AvailabilityResolver, new AvailabilityResolver(availability, holidays)],
    [AvailabilityChangesResolver, new AvailabilityChangesResolver(rules, individual, new AbsenceService(database, audit), holidays)],
    [CalendarResolver, new CalendarResolver(calendars)],
    [CouplingResolver, new CouplingResolver(couplings, couplingLifeCycle, guides)],
    [CoupledGuideResolver, new CoupledGuideResolver(couplings, grants)],
    [ConflictResolver, new ConflictResolver(claims.conflicts, claims.disputes, guides, bookings)],
    [LostBookingResolver, new LostBookingResolver(new LostBookingService(database, audit), guides)],
    [AuditResolver, new AuditResolver(database)],
  ]);

  return {
    code,
    clock,
    secret,
    database,
    events,
    settings,
    keys,
    verifier,
    sessions,
    audit,
    invitations,
    calendars,
    requestFeed: new RequestFeed(guides, events, sessions),
    claims,
    directory,
    grants,
    links,
    linkKeys,
    linkNotices,
    couplingLifeCycle,
    couplingStates,
    partnerService,
    replication,
    restamp: new RestampService(database, stamps, audit, clock, code, directory, partners),
    container: {
      get(cls: unknown): object {
        const found = resolvers.get(cls as ResolverClass);
        if (!found) throw new Error('a resolver is not wired');
        return found;
      },
    },
    async close(): Promise<void> {
      claims.patience.stop();
      await replication.drains.stop();
      await events.close();
      await partners.close();
      await database.close();
    },
  };
}
