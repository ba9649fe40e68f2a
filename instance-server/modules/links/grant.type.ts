import { Field, ID, ObjectType } from 'type-graphql';
import { VisibleTo } from '../../platform/visibility/visible-to.js';

@ObjectType({ description: 'Permission to see one guide’s stitched fields at one partner; for the gateway alone.', simpleResolvers: true })
@VisibleTo('GATEWAY')
export class LinkedGrant {
  @Field({ description: 'Code of the partner it is for.' })
  instance!: string;

  @Field({ description: 'The grant, a JWT of 60 seconds at most.' })
  token!: string;

  @Field(() => ID, { description: 'Id under which the partner knows the guide.' })
  globalId!: string;
}
