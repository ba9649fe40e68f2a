import type { Tx } from '../../platform/database/database.js';
import type { Clock } from '../../platform/clock.js';
import { type CouplingItem, couplingItem, couplingItemAnswer, type CouplingStates, type KnownLink } from '../links/index.js';
import { ItemRefusal, type Receipt, type RecordName, type ReplicatedKind } from './kinds.js';

/** The state of couplings on its way: pauses, consent and ends reach the partner whatever happened to the calls that told them. */
export class CouplingKind implements ReplicatedKind<CouplingItem> {
  readonly kind = 'COUPLING';
  /** Before everything else: what belongs to a coupling is taken by what the coupling is. */
  readonly order = 0;
  readonly whilePaused = true;
  readonly inAnyState = true;
  readonly schema = couplingItem;

  constructor(
    private readonly states: CouplingStates,
    private readonly clock: Clock,
  ) {}

  async project(tx: Tx, link: KnownLink, records: readonly RecordName[]): Promise<CouplingItem[]> {
    const items: CouplingItem[] = [];
    for (const { couplingId } of records) {
      const item = await this.states.project(tx, link, couplingId);
      if (item) items.push(item);
    }
    return items;
  }

  async apply(tx: Tx, { link, incarnation, now }: Receipt, items: readonly CouplingItem[]): Promise<readonly unknown[]> {
    const answers: unknown[] = [];
    for (const [index, item] of items.entries()) {
      const answer = await this.states.apply(tx, link, incarnation, item, now);
      if (!answer) throw new ItemRefusal({ index, code: 'COUPLING_UNKNOWN' });
      answers.push(answer);
    }
    return answers;
  }

  async answered(tx: Tx, link: KnownLink, answers: readonly { item: CouplingItem; answer: unknown }[]): Promise<void> {
    for (const { item, answer } of answers) {
      const said = couplingItemAnswer.safeParse(answer).data;
      if (said) await this.states.answered(tx, link, item, said, this.clock.now());
    }
  }
}
