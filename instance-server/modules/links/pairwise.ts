import type { LinkDirectory } from './link.directory.js';

/**
 * Whether this house has an open link with every house named: those in which a guide is coupled whom this house couples, or is about to.
 * Asked at each step towards a coupling. An operator who ends or suspends a link later is not held up by it: the coupling over that link
 * ends or rests, the guide's others stay, and no further one comes about until all are linked again.
 * Source: DOMAIN §2 "Separation".
 */
export const isPairwise = (directory: LinkDirectory, ownCode: string, coupledWith: readonly string[]): boolean =>
  coupledWith.every((code) => code === ownCode || directory.byPartner(code)?.isOpen);
