import type { Link, OperatorClient } from './client.js';

/** Two sides whose records of the link contradict each other; only their operators can say what is right. */
export class LinkContradiction extends Error {
  override readonly name = 'LinkContradiction';
}

export interface Connection {
  linkId: string;
  codes: [string, string];
  /** False when the two were linked already. */
  made: boolean;
}

const living = (links: readonly Link[], partner: string): Link | undefined => links.find((link) => link.partnerCode === partner && link.state !== 'ENDED');

/**
 * Links two instances: propose, accept, complete. Safe to repeat: an existing link stays as it is, and an attempt that was
 * cut off in the middle is taken back and made anew.
 * @throws LinkContradiction, OperatorRefusal, InstanceUnreachable
 */
export async function connectInstances(a: OperatorClient, b: OperatorClient): Promise<Connection> {
  const codes: [string, string] = await Promise.all([a.code(), b.code()]);
  const [atA, atB] = [living(await a.links(), codes[1]), living(await b.links(), codes[0])];
  if (atA?.state === 'ACTIVE' && atB?.state === 'ACTIVE' && atA.id === atB.id) return { linkId: atA.id, codes, made: false };

  const sides = [[a, codes[1], atA, atB], [b, codes[0], atB, atA]] as const;
  for (const [, partner, here, there] of sides) {
    const half = here === undefined || here.state === 'PROPOSED' || (there?.state === 'PROPOSED' && there.id === here.id);
    if (!half) throw new LinkContradiction(`The link with ${partner} is ${here.state} on one side only. Look at both with \`link list\` and end what should not be.`);
  }
  for (const [client, partner, here] of sides) if (here) await client.changeLink(partner, 'end');

  const offer = await a.proposeLink(codes[1]);
  const { id } = await a.completeLink(await b.acceptLink(offer));
  return { linkId: id, codes, made: true };
}
