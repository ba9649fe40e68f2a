import DataLoader from 'dataloader';
import { Arg, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import { RequestContext } from '../../platform/context.js';
import { outcomeOf } from '../../platform/errors/user-error.js';
import { VisibleTo } from '../../platform/visibility/visible-to.js';
import { Guide, type GuideService } from '../guides/index.js';
import type { Change, CouplingLifeCycle } from './coupling.lifecycle.js';
import type { CouplingRow } from './coupling.repository.js';
import type { CouplingService } from './coupling.service.js';
import {
  AcceptCouplingInput,
  ChangeCouplingResult,
  Coupling,
  CouplingHealth,
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
    private readonly lifeCycle: CouplingLifeCycle,
    private readonly guides: GuideService,
  ) {}

  #payload(row: CouplingRow): CouplingPayload {
    return Object.assign(new CouplingPayload(), { coupling: toCoupling(this.couplings, row) });
  }

  @Query(() => [Coupling], { description: 'Requests of linked houses that wait for your answer, oldest first; 500 at most.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  async couplingRequests(): Promise<Coupling[]> {
    return (await this.couplings.waiting()).map((row) => toCoupling(this.couplings, row));
  }

  @FieldResolver(() => Guide, { nullable: true, description: 'The guide of this house; null while nobody has chosen him.' })
  async guide(@Ctx() ctx: RequestContext, @Root() coupling: Coupling): Promise<Guide | null> {
    return coupling.guideId ? ((await this.guides.load(ctx, coupling.guideId)) ?? null) : null;
  }

  @FieldResolver(() => CouplingHealth, { nullable: true, description: 'How the exchange with the other house is going; null while it is not in force.' })
  async health(@Ctx() ctx: RequestContext, @Root() coupling: Coupling): Promise<CouplingHealth | null> {
    if (coupling.state !== CouplingState.ACTIVE && coupling.state !== CouplingState.PAUSED) return null;
    const loader = ctx.loader<string, string>(this, () => new DataLoader((linkIds) => this.couplings.healthOf(linkIds, ctx.now())));
    const health = (await loader.load(coupling.linkId)) as CouplingHealth;
    return coupling.state === CouplingState.PAUSED && health !== CouplingHealth.SUSPENDED ? CouplingHealth.PAUSED : health;
  }

  @Mutation(() => RequestCouplingResult, { description: 'Asks a linked house to couple a guide; its staff and the guide must agree.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  requestCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RequestCouplingInput, { description: 'Whom and where.' }) input: RequestCouplingInput,
  ): Promise<typeof RequestCouplingResult> {
    return outcomeOf(async () => this.#payload(await this.couplings.request(ctx, input))) as Promise<typeof RequestCouplingResult>;
  }

  @Mutation(() => ChangeCouplingResult, { description: 'Accepts another house’s request and says which guide here it is, or makes him.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  acceptCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AcceptCouplingInput, { description: 'Which request, which guide.' }) input: AcceptCouplingInput,
  ): Promise<typeof ChangeCouplingResult> {
    return this.#changed(() => this.couplings.accept(ctx, input));
  }

  @Mutation(() => ChangeCouplingResult, { description: 'The guide himself agrees to a coupling, in this house. It is active once he has agreed in both; until then a repetition tells the other house again.' })
  @VisibleTo('GUIDE')
  confirmCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CouplingInput, { description: 'Which coupling.' }) input: CouplingInput,
  ): Promise<typeof ChangeCouplingResult> {
    return this.#changed(() => this.couplings.confirm(ctx, input.couplingId));
  }

  @Mutation(() => ChangeCouplingResult, { description: 'Holds an active coupling: changes wait, on both sides, until it is resumed. What the guide asks himself goes on, and so does what keeps him from being booked twice.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  pauseCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CouplingInput, { description: 'Which coupling.' }) input: CouplingInput,
  ): Promise<typeof ChangeCouplingResult> {
    return this.#changed(() => this.lifeCycle.pause(changeOf(ctx), input.couplingId, true));
  }

  @Mutation(() => ChangeCouplingResult, { description: 'Takes back this house’s own pause. What waited is exchanged once the other house does not hold the coupling either.' })
  @VisibleTo('STAFF', 'ADMINISTRATOR')
  resumeCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CouplingInput, { description: 'Which coupling.' }) input: CouplingInput,
  ): Promise<typeof ChangeCouplingResult> {
    return this.#changed(() => this.lifeCycle.pause(changeOf(ctx), input.couplingId, false));
  }

  @Mutation(() => ChangeCouplingResult, { description: 'Declines a coupling that is not active yet, or ends one that is. What was received over it goes, in both houses; the profile stays as it is.' })
  @VisibleTo('GUIDE', 'STAFF', 'ADMINISTRATOR')
  endCoupling(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CouplingInput, { description: 'Which coupling.' }) input: CouplingInput,
  ): Promise<typeof ChangeCouplingResult> {
    return this.#changed(() => this.lifeCycle.end(changeOf(ctx), input.couplingId));
  }

  #changed(change: () => Promise<CouplingRow>): Promise<typeof ChangeCouplingResult> {
    return outcomeOf(async () => this.#payload(await change())) as Promise<typeof ChangeCouplingResult>;
  }
}

function changeOf(ctx: RequestContext): Change {
  const { role, guideId } = ctx.account();
  return { actor: ctx.viewer, now: ctx.now(), ...(role === 'GUIDE' && { onlyGuide: { id: guideId } }) };
}

/** The one mapping of a row to what is shown. A guide is not told the name that staff of the other house gave: see the field. */
function toCoupling(couplings: CouplingService, row: CouplingRow): Coupling {
  const isPaused = row.state === 'ACTIVE' && (row.paused_here || row.paused_there);
  return Object.assign(new Coupling(), {
    id: row.id,
    instance: couplings.partnerOf(row),
    state: isPaused ? CouplingState.PAUSED : (row.state as CouplingState),
    requestedHere: row.requested_here,
    confirmedHere: row.confirmed_here,
    confirmedThere: row.confirmed_there,
    pausedHere: row.paused_here,
    pausedThere: row.paused_there,
    requestedName: row.requested_name,
    since: row.since,
    guideId: row.guide_id,
    linkId: row.link_id,
  });
}

const livingLoader = {};
const overLoader = {};

/** What couplings add to a guide. */
@Resolver(() => Guide)
export class CoupledGuideResolver {
  constructor(
    private readonly couplingService: CouplingService,
    private readonly grants: GrantService,
  ) {}

  @FieldResolver(() => [Coupling], { description: 'Couplings with other houses that are active or on the way; on demand also those that were declined or have ended, after them.' })
  async couplings(
    @Ctx() ctx: RequestContext,
    @Root() guide: Guide,
    @Arg('includeEnded', () => Boolean, { defaultValue: false, description: 'Also those that were declined or have ended, last changed first; 50 at most.' }) includeEnded: boolean,
  ): Promise<Coupling[]> {
    const living = this.#loader(ctx, livingLoader, (guideIds) => this.couplingService.ofGuides(guideIds)).load(guide.id);
    const over = includeEnded ? this.#loader(ctx, overLoader, (guideIds) => this.couplingService.overOfGuides(guideIds)).load(guide.id) : [];
    return [...(await living), ...(await over)].map((row) => toCoupling(this.couplingService, row));
  }

  #loader(ctx: RequestContext, owner: object, read: (guideIds: readonly string[]) => Promise<CouplingRow[]>): DataLoader<string, CouplingRow[]> {
    return ctx.loader<string, CouplingRow[]>(
      owner,
      () =>
        new DataLoader(async (guideIds) => {
          const rows = Map.groupBy(await read(guideIds), (row) => row.guide_id);
          return guideIds.map((id) => rows.get(id) ?? []);
        }),
    );
  }

  @FieldResolver(() => [LinkedGrant], { description: 'Grants for the houses he is coupled in; for the gateway alone, and only when he asks himself.' })
  @VisibleTo('GATEWAY')
  linkedGrants(@Ctx() ctx: RequestContext, @Root() guide: Guide): Promise<LinkedGrant[]> {
    return this.grants.grantsOf(ctx, guide.id);
  }
}
