/*
 * What the workload did and was told, as plain data. The checker judges the databases by it and by nothing of the product's own code.
 * Times are ISO texts or, for moments of the run, milliseconds since its start.
 */

/** `unknown`: no answer came, or one that does not say whether the change was made. It may have been made, also later. */
export type Outcome = { readonly kind: 'ok' } | { readonly kind: 'refused'; readonly code: string } | { readonly kind: 'unknown'; readonly why: string };

interface Done {
  /** Number in the run, in the order of the first attempts. */
  readonly n: number;
  readonly house: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** How often it was asked for, each time with the same input. */
  readonly attempts: number;
  readonly outcome: Outcome;
}

export interface AssignmentFacts {
  readonly id: string;
  readonly guideId: string;
  readonly start: string;
  readonly end: string;
}

export interface BookingFacts {
  readonly id: string;
  readonly version: number;
  readonly state: string;
  readonly start: string;
  readonly end: string;
  readonly offerId: string;
  /** The living ones. */
  readonly assignments: readonly AssignmentFacts[];
}

/** What a booking is after a change, as far as that follows from the input alone. */
export interface BookingEffect {
  readonly start?: string;
  readonly end?: string;
  readonly state?: string;
  readonly offerId?: string;
  /** Exactly these guides lead it. */
  readonly guideIds?: readonly string[];
  readonly withGuide?: string;
  readonly withoutAssignment?: string;
  /** The record is no more. */
  readonly gone?: true;
}

export interface BookingOp extends Done {
  readonly subject: 'booking';
  readonly action: 'create' | 'rebook' | 'assign' | 'reset' | 'cancel' | 'delete';
  /** Stands in the booking's notes from its making to its end: says which creation a row comes from. */
  readonly mark: string;
  /** Undefined for a creation. */
  readonly bookingId?: string;
  readonly expectedVersion?: number;
  readonly effect: BookingEffect;
  /** What the answer said; only where the outcome is ok, and never of a deletion. */
  readonly answer?: BookingFacts;
}

export interface BlockFacts {
  readonly id: string;
  readonly version: number;
  readonly guideId: string;
  readonly start: string;
  readonly end: string;
}

export interface BlockOp extends Done {
  readonly subject: 'block';
  readonly action: 'create' | 'move' | 'end';
  /** Stands in the block's note. */
  readonly mark: string;
  readonly blockId?: string;
  readonly expectedVersion?: number;
  readonly effect: { readonly guideId?: string; readonly start?: string; readonly end?: string; readonly ended?: true };
  readonly answer?: BlockFacts;
}

export interface ProfileOp extends Done {
  readonly subject: 'profile';
  readonly guideId: string;
  /** By column: what was written. */
  readonly values: Readonly<Record<string, string>>;
  readonly expectedVersion: number;
  readonly answerVersion?: number;
  /** What this house's clock showed at the least while it was under way, milliseconds since the epoch. */
  readonly clockAtLeast: number;
}

export interface OfferOp extends Done {
  readonly subject: 'offer';
  readonly offerId: string;
  readonly title: string;
  readonly expectedVersion: number;
  readonly answerVersion?: number;
}

export interface RuleOp extends Done {
  readonly subject: 'rule';
  readonly action: 'create' | 'edit' | 'delete';
  readonly person: string;
  /** Unknown of one whose creation was not answered. */
  readonly ruleId?: string;
  /** No two writes of a run give the same two. Undefined for a deletion. */
  readonly startTime?: string;
  readonly validFrom?: string;
  /** Undefined for a creation. */
  readonly expectedVersion?: number;
  readonly answerVersion?: number;
  readonly clockAtLeast: number;
}

export interface EntryOp extends Done {
  /** An individual availability or an absence: never travels. */
  readonly subject: 'entry';
  /** `remove`: of an absence. */
  readonly action: 'set' | 'absence' | 'remove';
  readonly guideId: string;
  readonly entryIds: readonly string[];
}

/** Guides are asked for a booking; each of them answers, or the question is taken back. */
export interface RequestOp extends Done {
  readonly subject: 'request';
  readonly action: 'ask' | 'accept' | 'decline' | 'withdraw';
  /** The booking's. */
  readonly mark: string;
  /** Local ids: all who are asked, or whose request it is. */
  readonly guideIds: readonly string[];
  /** In the same order; empty for a question that was not answered with ok. */
  readonly requestIds: readonly string[];
}

/** A guide says that what another house sent is none of his, or takes that back. */
export interface DisputeOp extends Done {
  readonly subject: 'dispute';
  readonly action: 'dispute' | 'withdraw';
  /** The foreign booking's id. Nobody else is at it meanwhile. */
  readonly of: string;
}

/** An operator gives the blocks of his house another title; one at a time. */
export interface SettingOp extends Done {
  readonly subject: 'setting';
  readonly blockTitle: string;
}

/** The holidays of the one year that a house has any in; one change at a time. */
export interface HolidayOp extends Done {
  readonly subject: 'holidays';
  /** In order. */
  readonly days: readonly string[];
}

/**
 * Couplings asked for, agreed to and ended; keys of links rotated. Pauses, resumptions, suspensions: nothing of them is checked but that everything works again
 * afterwards.
 */
export interface ControlOp extends Done {
  readonly subject: 'coupling' | 'link';
  readonly action: string;
  /** The coupling's id, empty where none was answered; the partner's code. */
  readonly of: string;
}

export type Op = BookingOp | BlockOp | ProfileOp | OfferOp | RuleOp | EntryOp | RequestOp | DisputeOp | SettingOp | HolidayOp | ControlOp;

export interface PersonCoupling {
  readonly id: string;
  readonly houses: readonly [string, string];
}

/** One person, who is a guide of one house or of several. */
export interface Person {
  readonly name: string;
  /** His local id by house. */
  readonly guideIds: Readonly<Record<string, string>>;
  /** Those in force after quiet. */
  readonly couplings: readonly PersonCoupling[];
  /** He was coupled in all his houses, but couplings of his end during the run: `AGAIN` if he is coupled anew each time. */
  readonly ends?: 'AGAIN' | 'FOR_GOOD';
  /** He lets all his houses share his bank data: when the run begins. */
  readonly sharesBankData: boolean;
  /** He decides anew during the run, in each house once. */
  readonly decidesOnBankData?: true;
}

export interface World {
  readonly houses: readonly string[];
  readonly persons: readonly Person[];
}

/** Something that must not be; `detail` holds ids and kinds, never content. */
export interface Finding {
  readonly check: string;
  readonly house?: string;
  readonly detail: string;
}

export const isCoupledIn = (person: Person, house: string): boolean => person.couplings.some(({ houses }) => houses.includes(house));

/** Houses that he is coupled in, or was at some time of the run. */
export const everCoupled = (person: Person): string[] => (person.ends ? Object.keys(person.guideIds) : [...new Set(person.couplings.flatMap(({ houses }) => houses))]);

export function personOf(world: World, house: string, guideId: string): Person | undefined {
  return world.persons.find((person) => person.guideIds[house] === guideId);
}
