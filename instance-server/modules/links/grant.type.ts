import { Field, ID, Int, ObjectType } from 'type-graphql';
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

  @Field(() => Int, {
    nullable: true,
    description: 'Age in seconds of this house’s copy of what the partner holds of the guide: until then it is known to be whole. Null while it is not.',
  })
  replicaAge!: number | null;
}
