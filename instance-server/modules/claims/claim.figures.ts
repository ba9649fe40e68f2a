import { sql } from 'kysely';
import type { Clock } from '../../platform/clock.js';
import type { Database } from '../../platform/database/database.js';

/** How the times of common guides stand between this house and a partner; of what is not over yet. */
export interface LinkFigures {
  partner: string;
  /** Own assignments and blocks of guides coupled with the partner whose claims one of the two houses keeps, by their verification. */
  assignments: Record<string, number>;
  /** The partner's claims that are kept here, by their state. */
  claims: Record<string, number>;
}

/** For operators: all links in force. */
export async function linkFigures(database: Database, clock: Clock, code: string): Promise<LinkFigures[]> {
  const now = clock.now();
  const { rows } = await sql<LinkFigures>`
    select l.partner_code as partner,
      coalesce((select jsonb_object_agg(verification, count) from (
        select a.verification, count(*) from guide_assignment a join guide g on g.id = a.guide_id
        where a.ended_at is null and a.end_at > ${now} and g.claim_keeper in (l.partner_code, ${code})
          and exists (select 1 from coupling c where c.link_id = l.id and c.guide_id = g.id and c.state = 'ACTIVE')
        group by 1) counted), '{}') as assignments,
      coalesce((select jsonb_object_agg(state, count) from (
        select state, count(*) from claim where holder = l.partner_code and state <> 'RELEASED' and end_at > ${now} group by 1) counted), '{}') as claims
    from link l where l.state = 'ACTIVE' order by l.partner_code`.execute(database.worker.sql);
  return rows;
}
