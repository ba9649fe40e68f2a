/*
 * What can be planted in an instance's database, each with an id of the caller's choice or a new random one. Values are
 * not checked as the API checks them: what the database's constraints accept is planted.
 */

export interface SeedGuide {
  id?: string;
  firstName: string;
  lastName: string;
  email?: string;
  phone?: string;
  /** BCP 47. */
  languages?: readonly string[];
  /** The same in every instance of the guide; set by `coupling` too. */
  globalId?: string;
  /** Default: now, where there is a global id. */
  globalIdMintedAt?: Date;
  active?: boolean;
  /** Offers he may lead. */
  offerIds?: readonly string[];
}

export interface SeedOffer {
  id?: string;
  title: string;
  description?: string;
  /** Default 60. */
  durationMinutes?: number;
  languages?: readonly string[];
  /** Guides a booking needs; default 1. */
  guideDemand?: number;
  /** Minor units; default 0. */
  priceAmount?: number;
  /** Default: the instance's own currency. */
  priceCurrency?: string;
  active?: boolean;
}

export interface SeedAccount {
  id?: string;
  /** Stored in lower case. */
  email: string;
  displayName: string;
  roles: readonly ('GUIDE' | 'STAFF' | 'ADMINISTRATOR')[];
  /** Equal passwords share one hash, which is made once in a process: hashing is slow on purpose. */
  password?: string;
  /** Made by `hashPassword`; instead of `password`. Without both the account is INVITED and cannot sign in. */
  passwordHash?: string;
  /** Needed for the role GUIDE. */
  guideId?: string;
}

export interface SeedBooking {
  id?: string;
  offerId: string;
  start: Date;
  /** Not included. */
  end: Date;
  customer: { id?: string; name: string; email?: string; phone?: string };
  partySize?: number;
  language?: string;
  notes?: string;
  /** Default: that of the offer. */
  guideDemand?: number;
  /** Assigned for the whole time; overlaps with other living assignments are refused by the database. */
  guideIds?: readonly string[];
  /** Ids of these assignments, in the order of `guideIds`. */
  assignmentIds?: readonly string[];
  /** A cancelled booking; its assignments have ended at that time. */
  cancelled?: { reason: string; origin: 'CUSTOMER' | 'HOUSE' | 'GUIDE'; at: Date };
  /** Default: now. */
  createdAt?: Date;
}

/** Recurring availability, made in this instance: its code, zone and the time of making are part of it. */
export interface SeedAvailabilityRule {
  id?: string;
  guideId: string;
  /** `09:00`, on a quarter of an hour. */
  startTime: string;
  durationMinutes: number;
  /** As `checkRule` of the availability module gives it. */
  rrule: string;
  /** `2026-03-29`. */
  validFrom: string;
  skipsHolidays?: boolean;
  /** Default: now. */
  createdAt?: Date;
}

export interface SeedCoupling {
  /** The same on both sides of the link: plant one row in each of the two databases. */
  id: string;
  /** An existing link, by its id or its living one with this partner. */
  link: { id: string } | { partnerCode: string };
  guideId: string;
  /** Written to the guide as well, as confirming a coupling does. */
  globalId: string;
  /** Default: now. */
  globalIdMintedAt?: Date;
  /** Whether this side asked for it; no more than a remark. Default true. */
  requestedHere?: boolean;
  /** Default: now. */
  since?: Date;
}

export interface Planted {
  id: string;
}

export interface PlantedBooking extends Planted {
  /** In the order of `guideIds`. */
  assignmentIds: string[];
}
