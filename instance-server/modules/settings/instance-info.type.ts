import { Field, ObjectType, registerEnumType } from 'type-graphql';
import { VisibleTo } from '../../platform/visibility/visible-to.js';

export enum UnreachableKeeper {
  ACCEPT = 'ACCEPT',
  REFUSE = 'REFUSE',
}
registerEnumType(UnreachableKeeper, {
  name: 'UnreachableKeeper',
  description: 'What a house does with assignments that cannot be verified at once.',
  valuesConfig: {
    ACCEPT: { description: 'They stand as unverified and are verified later.' },
    REFUSE: { description: 'They are refused.' },
  },
});

@ObjectType({ description: 'What everybody may know of an instance, for log-in pages and beside foreign bookings.', simpleResolvers: true })
@VisibleTo('ANYONE')
export class InstanceInfo {
  @Field({ description: 'Short unique code; `LoginInput.instance` wants it.' })
  code!: string;

  @Field({ description: 'Name of the house.' })
  name!: string;

  @Field({ description: 'Where its own front end is found.' })
  url!: string;

  @Field(() => String, { nullable: true, description: 'URL of its logo.' })
  logo?: string | null;

  @Field(() => String, { nullable: true, description: 'URL of its homepage.' })
  homepage?: string | null;
}

@ObjectType({ description: 'Settings of the instance you are signed in to. Operators alone change them.', simpleResolvers: true })
@VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
export class InstanceSettings {
  @Field({ description: 'Short unique code.' })
  code!: string;

  @Field({ description: 'Name of the house.' })
  name!: string;

  @Field({ description: 'Where its own front end is found.' })
  url!: string;

  @Field(() => String, { nullable: true, description: 'URL of its logo.' })
  logo!: string | null;

  @Field(() => String, { nullable: true, description: 'URL of its homepage.' })
  homepage!: string | null;

  @Field({ description: 'IANA time zone of rules, grids and local times, such as `Europe/Berlin`.' })
  timeZone!: string;

  @Field({ description: 'BCP 47 tag for texts and formats.' })
  locale!: string;

  @Field({ description: 'ISO 4217 code of prices.' })
  currency!: string;

  @Field({ description: 'Title of all blocks of this house: what linked houses, and their guides, read of a time for which a guide is withheld.' })
  blockTitle!: string;

  @Field(() => UnreachableKeeper, { description: 'What becomes of an assignment when it cannot be verified at once that the guide is free in all his houses.' })
  unreachableKeeper!: UnreachableKeeper;
}
