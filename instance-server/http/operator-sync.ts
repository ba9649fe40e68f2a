import { z } from 'zod';
import type { Instance } from '../composition.js';
import type { LinkFigures } from '../modules/claims/index.js';
import type { SyncStatus } from '../modules/replication/index.js';

/** As operators write it; the message is theirs to read. */
export const partnerCode = z.string().regex(/^[a-z0-9-]{1,32}$/, 'this is not the code of a house, such as vienna');

/** What operators may ask of the exchange with partners. */
export const syncCommands = {
  'sync/status': z.strictObject({}),
  'sync/retry': z.strictObject({ partner: partnerCode }),
  'sync/resync': z.strictObject({ partner: partnerCode }),
  'sync/inspect': z.strictObject({ partner: partnerCode, couplingId: z.uuid().optional(), guideId: z.uuid().optional() }),
} as const;

type LinkStatus = SyncStatus & Omit<LinkFigures, 'partner'>;

async function status({ replication, claims }: Instance): Promise<LinkStatus[]> {
  const [all, figures] = await Promise.all([replication.service.status(), claims.figures()]);
  const byPartner = new Map(figures.map(({ partner, ...counts }) => [partner, counts]));
  return all.map((one) => Object.assign(one, byPartner.get(one.partner) ?? { assignments: {}, claims: {} }));
}

export function runSyncCommand(instance: Instance, command: keyof typeof syncCommands, input: unknown): Promise<unknown> {
  const sync = instance.replication.service;
  switch (command) {
    case 'sync/status':
      return status(instance);
    case 'sync/retry':
      return sync.retry((input as z.infer<(typeof syncCommands)['sync/retry']>).partner);
    case 'sync/resync':
      return sync.resync((input as z.infer<(typeof syncCommands)['sync/resync']>).partner);
    case 'sync/inspect': {
      const { partner: code, ...of } = input as z.infer<(typeof syncCommands)['sync/inspect']>;
      return sync.inspect(code, of);
    }
    default:
      return command satisfies never;
  }
}
