import type { RequestContext } from '../../platform/context.js';

/** Which guides a viewer reaches. The default is none. */
export type GuideScope = { kind: 'ALL' } | { kind: 'ONE'; guideId: string } | { kind: 'NONE' };

/** Source: DOMAIN §2 "Who sees what": staff see the guides of their house, a guide himself, anybody else nobody. */
export function guideScope(ctx: RequestContext): GuideScope {
  const { viewer } = ctx;
  if (viewer.kind !== 'ACCOUNT') return { kind: 'NONE' };
  switch (viewer.role) {
    case 'STAFF':
    case 'ADMINISTRATOR':
      return { kind: 'ALL' };
    case 'GUIDE':
      return viewer.guideId ? { kind: 'ONE', guideId: viewer.guideId } : { kind: 'NONE' };
    default:
      return { kind: 'NONE' };
  }
}
