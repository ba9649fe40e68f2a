import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database, Tx } from '../../platform/database/database.js';
import { formatStamp, MAX_AHEAD_MS, type Stamps } from '../../platform/stamps.js';
import type { AuditService } from '../audit/index.js';
import type { LinkDirectory, PartnerClient } from '../links/index.js';
import { inventoryOf } from '../replication/index.js';
import { type HeldMoments, ProfileComparison, RuleComparison } from './comparisons.js';

export interface Restamped {
  /** Fields of profiles, and rules, that have a stamp of now. */
  profileFields: number;
  rules: number;
}

/** Later than every stamp that a partner may have taken; codes begin with letters, so nothing of that millisecond is as late. */
const limitOf = (now: Date): string => formatStamp({ milliseconds: now.getTime() + MAX_AHEAD_MS, counter: 99_999_999, code: '~' });

/**
 * Responsible for what a clock that was far ahead has left behind. Partners do not take its stamps, and would not for as long as it was
 * ahead; so what they have refused gets stamps of now, in the order of the old ones, and is delivered. What they may have taken stays, and
 * the new stamps are later than it; one whose own clock was ahead may have taken later ones, so they are asked.
 */
export class RestampService {
  constructor(
    private readonly database: Database,
    private readonly stamps: Stamps,
    private readonly audit: AuditService,
    private readonly clock: Clock,
    private readonly code: string,
    private readonly directory: LinkDirectory,
    private readonly partners: PartnerClient,
  ) {}

  async run(): Promise<Restamped> {
    const taken = await this.#takenAbroad(limitOf(this.clock.now()));
    const now = this.clock.now();
    const limit = limitOf(now);
    return this.database.worker.transaction(async (tx) => {
      await this.#lock(tx, limit);
      const { rows: old } = await sql<{ stamp: string }>`
        select stamp from (
          select stamp from profile_stamp union select stamp from availability_rule union select holidays_stamp from availability_rule
        ) given where stamp > ${limit} collate "C" and substr(stamp, 26) = ${this.code} order by stamp collate "C"`.execute(tx);
      if ((await this.#lastStamp(tx)) > limit || old.length > 0) await this.stamps.takeBack(tx, now, taken);
      const fresh: string[] = [];
      for (let count = 0; count < old.length; count += 1) fresh.push(await this.stamps.next(tx, now));
      const replaced = sql`unnest(${old.map((row) => row.stamp)}::text[], ${fresh}::text[]) as replaced(old, fresh)`;
      const fields = await sql`update profile_stamp p set stamp = replaced.fresh from ${replaced} where p.stamp = replaced.old`.execute(tx);
      const rules = await sql`
        update availability_rule r set stamp = coalesce(d.fresh, r.stamp), holidays_stamp = coalesce(h.fresh, r.holidays_stamp)
        from availability_rule x
        left join ${sql`unnest(${old.map((row) => row.stamp)}::text[], ${fresh}::text[]) as d(old, fresh)`} on x.stamp = d.old
        left join ${sql`unnest(${old.map((row) => row.stamp)}::text[], ${fresh}::text[]) as h(old, fresh)`} on x.holidays_stamp = h.old
        where x.id = r.id and (d.fresh is not null or h.fresh is not null)`.execute(tx);
      const restamped = { profileFields: Number(fields.numAffectedRows ?? 0), rules: Number(rules.numAffectedRows ?? 0) };
      await this.audit.record(tx, { kind: 'OPERATOR' }, now, { action: 'stamps.renewed', subjectType: 'settings', subjectId: this.code, after: { ...restamped } });
      return restamped;
    });
  }

  /**
   * The latest stamp that partners hold of a guide of whom this house has given such as are beyond the limit. One who cannot be asked now
   * is supposed to have had his clock right. What is later than all that was ever given or seen here is not believed.
   */
  async #takenAbroad(limit: string): Promise<string> {
    await this.directory.fresh();
    const { rows: couplings } = await sql<{ id: string; linkId: string }>`
      select id, link_id as "linkId" from coupling where state = 'ACTIVE' and guide_id in (
        select guide_id from profile_stamp where stamp > ${limit} collate "C"
        union select guide_id from availability_rule where greatest(stamp collate "C", holidays_stamp) > ${limit} collate "C"
      ) order by id`.execute(this.database.worker.sql);
    const last = await this.#lastStamp(this.database.worker.sql);
    let latest = '';
    for (const { id, linkId } of couplings) {
      const link = this.directory.byId(linkId);
      if (!link?.isOpen) continue;
      for (const [kind, comparison] of [['PROFILE', new ProfileComparison('PROFILE', this.code)], ['RULE', new RuleComparison('RULE', this.code)]] as const) {
        const held = (await inventoryOf(this.partners, link, kind, comparison, id).catch(() => [])) as readonly HeldMoments[];
        for (const { moments } of held) for (const moment of Object.values(moments)) if (moment > latest && moment < last) latest = moment;
      }
    }
    return latest === '' ? '' : `${latest}-${this.code}`;
  }

  /** Guides first, by id: the written order. */
  async #lock(tx: Tx, limit: string): Promise<void> {
    await sql`
      select 1 from guide where id in (
        select guide_id from profile_stamp where stamp > ${limit} collate "C"
        union select guide_id from availability_rule where greatest(stamp collate "C", holidays_stamp) > ${limit} collate "C"
      ) order by id for no key update`.execute(tx);
  }

  async #lastStamp(tx: Tx): Promise<string> {
    return (await tx.selectFrom('sync_state').select('last_stamp').where('id', '=', 1).executeTakeFirstOrThrow()).last_stamp;
  }
}
