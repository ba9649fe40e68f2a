import type DataLoader from 'dataloader';
import type { Clock } from './clock.js';
import type { ViewerKind } from './visibility/visible-to.js';

export type Role = 'GUIDE' | 'STAFF' | 'ADMINISTRATOR';

export interface AnonymousViewer {
  kind: 'ANONYMOUS';
}

/** An account of this instance with the one role its token carries. */
export interface AccountViewer {
  kind: 'ACCOUNT';
  accountId: string;
  sessionId: string;
  role: Role;
  /** Local guide id; set for the role GUIDE alone. */
  guideId?: string;
  /** Seconds since the epoch at which the token ends. */
  expiresAt: number;
}

/** The holder of a grant: sees the stitched fields of one guide, as a linked house may see them. */
export interface PartnerViewer {
  kind: 'PARTNER';
  partnerCode: string;
  linkId: string;
  couplingId: string;
  globalId: string;
}

export type Viewer = AnonymousViewer | AccountViewer | PartnerViewer;

const bits: Record<ViewerKind, number> = { ANYONE: 1, GUIDE: 2, STAFF: 4, ADMINISTRATOR: 8, PARTNER: 16, GATEWAY: 32 };

export const visibilityMask = (kinds: readonly ViewerKind[]): number => kinds.reduce((mask, kind) => mask | bits[kind], 0);

export function viewerMask(viewer: Viewer, viaGateway: boolean): number {
  const own = viewer.kind === 'ACCOUNT' ? bits[viewer.role] : viewer.kind === 'PARTNER' ? bits.PARTNER : 0;
  return bits.ANYONE | own | (viaGateway ? bits.GATEWAY : 0);
}

/** Streams a subscription can be fed from; given here because a decorator cannot reach a service. */
export interface Feeds {
  calendar(ctx: RequestContext, guideId: string): Promise<AsyncIterable<unknown>>;
  requests(ctx: RequestContext, guideId: string): Promise<AsyncIterable<unknown>>;
}

/** What every service method gets first: who asks, and what belongs to this one request. */
export class RequestContext {
  // Not #private: Apollo Server copies the context object, which leaves #private members behind.
  private currentViewer: Viewer;
  private currentMask: number;
  private readonly loaders = new Map<object, DataLoader<never, unknown>>();

  constructor(
    viewer: Viewer,
    readonly viaGateway: boolean,
    readonly requestId: string,
    /** Address the request came from, for rate limits alone. */
    readonly clientAddress: string,
    readonly clock: Clock,
    readonly feeds: Feeds,
  ) {
    this.currentViewer = viewer;
    this.currentMask = viewerMask(viewer, viaGateway);
  }

  get viewer(): Viewer {
    return this.currentViewer;
  }

  get viewerMask(): number {
    return this.currentMask;
  }

  /**
   * After a successful log-in the rest of this operation, its payload above all, is answered for the account that signed in.
   * Mutations run one after the other, so nothing of an earlier viewer is still being resolved.
   */
  signIn(viewer: AccountViewer): void {
    this.currentViewer = viewer;
    this.currentMask = viewerMask(viewer, this.viaGateway);
    this.loaders.clear();
  }

  now(): Date {
    return this.clock.now();
  }

  /** One loader per request and owner, so that nothing loaded for one viewer is ever given to another. */
  loader<K, V>(owner: object, create: () => DataLoader<K, V, string> | DataLoader<K, V>): DataLoader<K, V> {
    let loader = this.loaders.get(owner) as DataLoader<K, V> | undefined;
    if (!loader) {
      loader = create() as DataLoader<K, V>;
      this.loaders.set(owner, loader as unknown as DataLoader<never, unknown>);
    }
    return loader;
  }

  /** The signed-in account. @throws when a resolver is reached without one, which the visibility check rules out. */
  account(): AccountViewer {
    if (this.viewer.kind !== 'ACCOUNT') throw new Error('reached without an account');
    return this.viewer;
  }
}
