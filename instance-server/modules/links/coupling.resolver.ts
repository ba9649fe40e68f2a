import DataLoader from 'dataloader';
import { Arg, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Guide, type GuideService } from '../guides/index.js';
import type { CouplingRow } from './coupling.repository.js';
import type { CouplingService } from './coupling.service.js';
import {
  AcceptCouplingInput,
  ChangeCouplingResult,
  Coupling,
  CouplingInput,
  CouplingPayload,
  CouplingState,
  RequestCouplingInput,
  RequestCouplingResult,
} from './coupling.type.js';
import type { GrantService } from './grant.service.js';
import { LinkedGrant } from './grant.type.js';

/** Wiring of couplings. */
@Resolver(() => Coupling)
export class CouplingResolver {
  constructor(
    private readonly couplings: CouplingService,
    private readonly guides: GuideService,
  ) {}

  #toCoupling(row: CouplingRow): Coupling {
    return Object.assign(new Coupling(), {
      id: row.id,
      instance: this.couplings.partnerOf(row),
      state: row.state as CouplingState,
      requestedHere: row.requested_here,
      confirmedHere: row.confirmed_here,
      confirmedThere: row.confirmed_there,
      requestedName: row.requested_name,
      since: row.since,
      guideId: row.guide_id,
    });
  }

  #payload(row: CouplingRow): CouplingPayload {
    return Object.assign(new CouplingPayload(), { coupling: this.#toCoupling(row) });
  }

  @Query(() => [Coupling], { description: 'Requests of linked houses that wait for your answer, oldest first; 500 at most.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  async couplingRequests(): Promise<Coupling[]> {
    return (await this.couplings.waiting()).map((row) => this.#toCoupling(row));
  }

  @FieldResolver(() => Guide, { nullable: true, description: 'The guide of this house; null while nobody has chosen him.' })
  async guide(@Ctx() ctx: RequestContext, @Root() coupling: Coupling): Promise<Guide | null> {
    return coupling.guideId ? ((await this.guides.load(ctx, coupling.guideId)) ?? null) : null;
  }

  @Mutation(() => RequestCouplingResult, { description: 'Asks a linked house to couple a guide; its staff and the guide must agree.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  requestCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RequestCouplingInput, { description: 'Whom and where.' }) input: RequestCouplingInput,
  ): Promise<typeof RequestCouplingResult> {
    return outcomeOf(async () => this.#payload(await this.couplings.request(ctx, input))) as Promise<typeof RequestCouplingResult>;
  }

  @Mutation(() => ChangeCouplingResult, { description: 'Accepts another house’s request and says which guide here it is.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  acceptCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AcceptCouplingInput, { description: 'Which request, which guide.' }) input: AcceptCouplingInput,
  ): Promise<typeof ChangeCouplingResult> {
    return outcomeOf(async () => this.#payload(await this.couplings.accept(ctx, input))) as Promise<typeof ChangeCouplingResult>;
  }

  @Mutation(() => ChangeCouplingResult, { description: 'The guide himself agrees to a coupling, in this house. It is active once he has agreed in both; until then a repetition tells the other house again.' })
  @VisibleTo('GUIDE')
  confirmCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CouplingInput, { description: 'Which coupling.' }) input: CouplingInput,
  ): Promise<typeof ChangeCouplingResult> {
    return outcomeOf(async () => this.#payload(await this.couplings.confirm(ctx, input.couplingId))) as Promise<typeof ChangeCouplingResult>;
  }

  @Mutation(() => ChangeCouplingResult, { description: 'Declines a coupling that is not active yet, or ends one that is.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  endCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CouplingInput, { description: 'Which coupling.' }) input: CouplingInput,
  ): Promise<typeof ChangeCouplingResult> {
    return outcomeOf(async () => this.#payload(await this.couplings.end(ctx, input.couplingId))) as Promise<typeof ChangeCouplingResult>;
  }
}

/** What couplings add to a guide. */
@Resolver(() => Guide)
export class CoupledGuideResolver {
  constructor(
    private readonly couplingService: CouplingService,
    private readonly grants: GrantService,
  ) {}

  @FieldResolver(() => [Coupling], { description: 'Couplings with other houses that are active or on the way.' })
  async couplings(@Ctx() ctx: RequestContext, @Root() guide: Guide): Promise<Coupling[]> {
    const loader = ctx.loader<string, CouplingRow[]>(
      this,
      () =>
        new DataLoader(async (guideIds) => {
          const rows = Map.groupBy(await this.couplingService.ofGuides(guideIds), (row) => row.guide_id);
          return guideIds.map((id) => rows.get(id) ?? []);
        }),
    );
    return (await loader.load(guide.id)).map((row) =>
      Object.assign(new Coupling(), {
        id: row.id,
        instance: this.couplingService.partnerOf(row),
        state: row.state as CouplingState,
        requestedHere: row.requested_here,
      confirmedHere: row.confirmed_here,
      confirmedThere: row.confirmed_there,
        requestedName: null,
        since: row.since,
        guideId: row.guide_id,
      }),
    );
  }

  @FieldResolver(() => [LinkedGrant], { description: 'Grants for the houses he is coupled in; for the gateway alone, and only when he asks himself.' })
  @VisibleTo('GATEWAY')
  linkedGrants(@Ctx() ctx: RequestContext, @Root() guide: Guide): Promise<LinkedGrant[]> {
    return this.grants.grantsOf(ctx, guide.id);
  }
}
