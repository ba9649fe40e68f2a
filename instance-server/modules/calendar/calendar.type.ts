import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { DateTimeScalar, type Instant } from '../../platform/time.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Customer } from '../bookings/index.js';
import { InstanceInfo } from '../settings/index.js';

export enum Origin {
  LOCAL = 'LOCAL',
  FOREIGN = 'FOREIGN',
}
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
  @Field(() => ID, { description: 'Id of the booking.' })
  bookingId!: string;

  @Field(() => Customer, { nullable: true, description: 'Who it is for.' })
  customer!: Customer | null;

  @Field(() => Int, { nullable: true, description: 'Number of people.' })
  partySize!: number | null;

  @Field(() => String, { nullable: true, description: 'Language of the tour, BCP 47.' })
  language!: string | null;

  @Field(() => String, { nullable: true, description: 'Notes of the house.' })
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

  @Field(() => String, { nullable: true, description: 'Public title of the offer.' })
  offerTitle!: string | null;

  @Field(() => InstanceInfo, { nullable: true, description: 'The instance the booking is of.' })
  instance!: InstanceInfo | null;

  @Field(() => CalendarDetails, { nullable: true, description: 'The full record when LOCAL, null when FOREIGN.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  details!: CalendarDetails | null;
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

  @Field(() => CalendarEntry, { nullable: true, description: 'The entry as it is now; null for REMOVED and REFETCH.' })
  entry!: CalendarEntry | null;
}
