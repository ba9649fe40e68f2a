import { randomUUID } from 'node:crypto';
import type { Cleanup } from '../../../testkit/cleanup.js';
import type { House } from '../../../testkit/federation.js';
import { FakePartner, type PartnerLink } from '../../../testkit/federation-partner.js';
import type { ReplicatingHouse } from './houses.js';

export type Item = Record<string, unknown>;

/** A partner whose every word a test chooses, signed with the keys of its link. */
export class Correspondent {
  number = 0;
  incarnation = 1;

  private constructor(
    readonly partner: FakePartner,
    readonly link: PartnerLink,
    readonly house: ReplicatingHouse,
  ) {}

  static async write(cleanup: Cleanup, house: ReplicatingHouse, code: string): Promise<Correspondent> {
    const partner = cleanup.own(await FakePartner.start(code), (started) => started.close());
    return new Correspondent(partner, await partner.linkWith(house as unknown as House), house);
  }

  /** A coupling with a guide of the house, as if he had confirmed. */
  async couple(guideId?: string): Promise<{ couplingId: string; guideId: string }> {
    const guide = guideId ?? (await this.house.records.guide());
    const couplingId = randomUUID();
    await this.house.records.seed.coupling({ id: couplingId, link: { partnerCode: this.partner.code }, guideId: guide, globalId: `g_${couplingId}` });
    return { couplingId, guideId: guide };
  }

  call(action: string, body: unknown, claims: Record<string, unknown> = {}): Promise<{ status: number; body: Record<string, unknown> }> {
    return this.partner.call(this.link, action, body, claims);
  }

  /** The next batch; its number counts once it was taken. */
  async deliver(items: readonly unknown[], change: Record<string, unknown> = {}): Promise<{ status: number; body: Record<string, unknown> }> {
    const number = this.number + 1;
    const answer = await this.call('sync/deliver', { incarnation: this.incarnation, number, id: randomUUID(), items, complete: true, ...change });
    if (answer.status === 200 && !('number' in change)) this.number = number;
    return answer;
  }

  copies(couplingId: string) {
    return this.house.copies(couplingId);
  }
}

/** A living hour of a coupling, changed as a test wants it. */
export const assignment = (couplingId: string, change: Item = {}): Item => ({
  kind: 'ASSIGNMENT',
  couplingId,
  recordId: randomUUID(),
  start: '2027-06-01T12:00:00.000Z',
  end: '2027-06-01T13:00:00.000Z',
  title: 'Sundial',
  booking: 'BOOKING',
  version: 1,
  ended: false,
  ...change,
});
