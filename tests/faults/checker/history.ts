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
  /** An individual availability: never travels. */
  readonly subject: 'entry';
  readonly guideId: string;
  readonly entryIds: readonly string[];
}

/** Pauses, resumptions, suspensions: nothing of them is checked but that everything works again afterwards. */
export interface ControlOp extends Done {
  readonly subject: 'coupling' | 'link';
  readonly action: string;
  readonly of: string;
}

export type Op = BookingOp | BlockOp | ProfileOp | OfferOp | RuleOp | EntryOp | ControlOp;

export interface PersonCoupling {
  readonly id: string;
  readonly houses: readonly [string, string];
}

/** One person, who is a guide of one house or of several. */
export interface Person {
  readonly name: string;
  /** His local id by house. */
  readonly guideIds: Readonly<Record<string, string>>;
  readonly couplings: readonly PersonCoupling[];
  /** He lets all his houses share his bank data. */
  readonly sharesBankData: boolean;
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

export function personOf(world: World, house: string, guideId: string): Person | undefined {
  return world.persons.find((person) => person.guideIds[house] === guideId);
}
