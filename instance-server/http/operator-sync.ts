import { z } from 'zod';
import type { SyncService } from '../modules/replication/index.js';

const partner = z.string().regex(/^[a-z0-9-]{1,32}$/);

/** What operators may ask of the exchange with partners. */
export const syncCommands = {
  'sync/status': z.strictObject({}),
  'sync/retry': z.strictObject({ partner }),
  'sync/resync': z.strictObject({ partner }),
  'sync/inspect': z.strictObject({ partner, couplingId: z.uuid().optional(), guideId: z.uuid().optional() }),
} as const;

export function runSyncCommand(sync: SyncService, command: keyof typeof syncCommands, input: unknown): Promise<unknown> {
  switch (command) {
    case 'sync/status':
      return sync.status();
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
