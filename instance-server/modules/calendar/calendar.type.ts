import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { DateTimeScalar, type Instant } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Customer } from '../bookings/index.js';
import { InstanceInfo } from '../settings/index.js';

export enum Origin {
  LOCAL = 'LOCAL',
  FOREIGN = 'FOREIGN',
}
/** The words `partner_assignment` uses. */
export enum CalendarEntryKind {
  BOOKING = 'BOOKING',
  BLOCK = 'BLOCK',
}
registerEnumType(CalendarEntryKind, {
  name: 'CalendarEntryKind',
  description: 'Why a guide is taken.',
  valuesConfig: {
    BOOKING: { description: 'He leads a booking, or part of one.' },
    BLOCK: { description: 'The house withholds him without a booking.' },
  },
});

registerEnumType(Origin, {
  name: 'Origin',
  description: 'Whether an entry is of your own instance.',
  valuesConfig: {
    LOCAL: { description: 'Of your own instance, in full.' },
    FOREIGN: { description: 'Of a linked instance, without personal data. Guides alone see such entries.' },
  },
});

@ObjectType({ description: 'The full record behind a calendar entry of your own instance.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class CalendarDetails {
  @Field(() => ID, { nullable: true, description: 'Id of the booking; null for a block.' })
  bookingId!: string | null;

  @Field(() => Customer, { nullable: true, description: 'Who it is for; null for a block.' })
  customer!: Customer | null;

  @Field(() => Int, { nullable: true, description: 'Number of people.' })
  partySize!: number | null;

  @Field(() => String, { nullable: true, description: 'Language of the tour, BCP 47.' })
  language!: string | null;

  @Field(() => String, { nullable: true, description: 'Notes of the house; of a block, why he is withheld.' })
  notes!: string | null;
}

@ObjectType({ description: 'A time a guide is taken.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR', 'PARTNER')
export class CalendarEntry {
  @Field(() => ID, { description: 'Id of the assignment; unique within its instance.' })
  id!: string;

  @Field(() => DateTimeScalar, { description: 'Start.' })
  start!: Instant;

  @Field(() => DateTimeScalar, { description: 'End; not included.' })
  end!: Instant;

  @Field(() => Origin, { description: 'Own instance or a linked one.' })
  origin!: Origin;

  @Field(() => CalendarEntryKind, { description: 'A booking, or a block.' })
  kind!: CalendarEntryKind;

  @Field(() => String, { nullable: true, description: 'Public title of the offer; of a block, the title its house gives to all blocks.' })
  offerTitle!: string | null;

  @Field(() => InstanceInfo, { nullable: true, description: 'The instance the booking is of.' })
  instance!: InstanceInfo | null;

  @Field(() => CalendarDetails, { nullable: true, description: 'The full record when LOCAL, null when FOREIGN.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  details!: CalendarDetails | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'Age in seconds of the copy this is read from, where the other house was not asked or did not answer: until then it is known to be true. Null for entries of your own instance and for what another house has answered itself.',
  })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  replicaAge!: number | null;

  @Field(() => Boolean, { description: 'Whether you have said of a FOREIGN entry that it is none of yours; it blocks you no longer then.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  disputed!: boolean;
}

export enum CalendarChangeKind {
  CREATED = 'CREATED',
  UPDATED = 'UPDATED',
  REMOVED = 'REMOVED',
  REFETCH = 'REFETCH',
}
registerEnumType(CalendarChangeKind, {
  name: 'CalendarChangeKind',
  description: 'What happened to a calendar.',
  valuesConfig: {
    CREATED: { description: 'An entry is new.' },
    UPDATED: { description: 'An entry was moved or its content changed.' },
    REMOVED: { description: 'The entry `entryId` is gone.' },
    REFETCH: { description: 'Changes may have been missed, after a lost connection for instance: load the calendar again. All later changes follow.' },
  },
});

@ObjectType({ description: 'A change of a calendar.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class CalendarChange {
  @Field(() => CalendarChangeKind, { description: 'What happened.' })
  kind!: CalendarChangeKind;

  @Field(() => ID, { nullable: true, description: 'Id of the entry; null for REFETCH.' })
  entryId!: string | null;

  @Field(() => InstanceInfo, { nullable: true, description: 'The instance the entry is of; ids are unique within it. Null for REFETCH.' })
  instance!: InstanceInfo | null;

  @Field(() => CalendarEntry, { nullable: true, description: 'The entry as it is now; null for REMOVED and REFETCH.' })
  entry!: CalendarEntry | null;
}
