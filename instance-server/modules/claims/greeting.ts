import type { LinkDirectory } from '../links/index.js';

/**
 * Whether a partner has told all his claims to this process since it started, under this incarnation of this house; or need not be waited
 * for, since he cannot be reached or does not come to an end.
 */
export type HasGreeted = (linkId: string, incarnation: number) => boolean;

/**
 * Responsible for a keeper that was restored from an older state granting nothing over a claim it has forgotten: it learns of them from
 * the houses it hears.
 */
export class Greeting {
  constructor(
    private readonly directory: LinkDirectory,
    private readonly hasGreeted: HasGreeted,
  ) {}

  /** Whether any other of these links' partners may have a claim that is not known here any more. */
  isOpen(linkIds: readonly string[], incarnation: number, exceptLinkId?: string): boolean {
    return linkIds.some((id) => id !== exceptLinkId && this.directory.byId(id)?.isOpen && !this.hasGreeted(id, incarnation));
  }
}
