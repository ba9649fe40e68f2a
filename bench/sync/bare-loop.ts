import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { projectRoot } from '../../instance-server/platform/project-root.js';
import { createInstance } from '../../tests/testkit/instance.js';
import { Records } from '../../tests/testkit/records.js';
import { type Contender, startPinned } from '../harness.js';
import { Houses, type Side } from './houses.js';

const entry = (name: string): string => join(projectRoot, 'dist/bench/sync', name);

/**
 * Between two more houses without servers: an outbox loop and nothing around it. The effect is the same, on the same tables: copies of
 * the bookings, claims that are decided and their answers. There is no GraphQL server, no ORM, no signature, no whitelist, no memory of
 * batches, and nobody's pause or limit is looked at.
 */
export class BareLoop {
  private constructor(
    readonly houses: Houses,
    private readonly processes: readonly Contender[],
  ) {}

  static async start(count: number): Promise<BareLoop> {
    const [origin, target] = [await createInstance({ code: 'baresource' }), await createInstance({ code: 'baretarget' })];
    const sides: Side[] = [];
    for (const [instance, partner] of [[origin, target], [target, origin]] as const) {
      const records = await Records.open(instance);
      await records.query(
        `insert into link (id, partner_code, partner_name, partner_url, partner_endpoint, scopes, state, created_at, updated_at)
         values ($1, $2, $2, 'https://bare.example', 'https://bare.example', '{GUIDE_SYNC}', 'ACTIVE', now(), now())`,
        [randomUUID(), partner.code],
      );
      sides.push({ code: instance.code, records });
    }
    const receiver = await startPinned(entry('bare-receiver.js'), { TARGET_URL: target.roleUrl('worker'), HOLDER: origin.code }, 1);
    const sender = await startPinned(entry('bare-sender.js'), { SOURCE_URL: origin.roleUrl('worker'), RECEIVER_URL: receiver.url });
    return new BareLoop(new Houses(...(sides as [Side, Side]), count), [sender, receiver]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.stop()));
    await Promise.all([this.houses.origin, this.houses.target].map(({ records }) => records.close()));
  }
}
