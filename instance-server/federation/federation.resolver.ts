import { GraphQLError, GraphQLScalarType } from 'graphql';
import { Arg, createUnionType, Ctx, Field, ObjectType, Query, Resolver } from 'type-graphql';
import { Guide, type GuideService } from '../modules/guides/index.js';
import { RequestContext } from '../platform/context.js';
import { isUuid } from '../platform/validation.js';
import { VisibleTo } from '../platform/visibility/visible-to.js';

interface Representation {
  __typename: string;
  id: string;
}

/** A page of guides, and no more. */
const MAX_REPRESENTATIONS = 200;

function parseRepresentation(value: unknown): Representation {
  if (typeof value === 'object' && value !== null && '__typename' in value && 'id' in value) {
    const { __typename, id } = value;
    if (typeof __typename === 'string' && typeof id === 'string') return { __typename, id };
  }
  throw new GraphQLError('A representation names __typename and id.', { extensions: { code: 'BAD_USER_INPUT' } });
}

const AnyScalar = new GraphQLScalarType<Representation, unknown>({
  name: '_Any',
  description: 'An entity’s representation: its type and key.',
  parseValue: parseRepresentation,
});

const Entity = createUnionType({
  name: '_Entity',
  description: 'Entities of the federated graph.',
  types: () => [Guide] as const,
});

@ObjectType('_Service', { description: 'This subgraph.', simpleResolvers: true })
@VisibleTo('GATEWAY')
class Service {
  @Field({ description: 'Its SDL.' })
  sdl!: string;
}

/** What the gateway asks besides the client API; refused to everybody else. */
@Resolver()
export class FederationResolver {
  constructor(
    private readonly guides: GuideService,
    private readonly sdl: () => string,
  ) {}

  @Query(() => Service, { name: '_service', description: 'This subgraph, for the gateway.' })
  @VisibleTo('GATEWAY')
  service(): Service {
    return { sdl: this.sdl() };
  }

  @Query(() => [Entity], { name: '_entities', nullable: 'items', description: 'Entities by their keys, for the gateway.' })
  @VisibleTo('GATEWAY')
  async entities(
    @Ctx() ctx: RequestContext,
    @Arg('representations', () => [AnyScalar], { description: 'Which entities.' }) representations: Representation[],
  ): Promise<(Guide | null)[]> {
    if (representations.length > MAX_REPRESENTATIONS) {
      throw new GraphQLError(`${MAX_REPRESENTATIONS} representations at most.`, { extensions: { code: 'BAD_USER_INPUT' } });
    }
    return Promise.all(representations.map((representation) => this.#resolve(ctx, representation)));
  }

  /** Checked like any argument: a gateway's word adds nothing to what the viewer may see. */
  async #resolve(ctx: RequestContext, { __typename, id }: Representation): Promise<Guide | null> {
    if (__typename !== 'Guide') return null;
    const { viewer } = ctx;
    if (viewer.kind === 'PARTNER') return id === viewer.globalId ? Object.assign(new Guide(), { id }) : null;
    return isUuid(id) ? ((await this.guides.load(ctx, id)) ?? null) : null;
  }
}
