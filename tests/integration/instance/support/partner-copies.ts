import { randomUUID } from 'node:crypto';
import { at, type House } from './house.js';

/** A linked house as this one knows it, without there being one. */
export interface PlantedPartner {
  readonly code: string;
  readonly linkId: string;
  /** As it stands beside foreign entries. */
  readonly info: { code: string; name: string; url: string };
}

export interface PlantedCopy {
  id?: string;
  couplingId: string;
  guideId: string;
  hours: readonly [number, number];
  title?: string;
  kind?: 'BOOKING' | 'BLOCK';
  ended?: boolean;
  disputed?: boolean;
  receivedAt?: Date;
}

/** Plants links, couplings and copies of what partners hold, as receipt would have written them. */
export class PartnerCopies {
  constructor(private readonly house: House) {}

  async partner(code: string): Promise<PlantedPartner> {
    const linkId = randomUUID();
    const info = { code, name: `House ${code}`, url: `https://${code}.example` };
    await this.house.records.query(
      `insert into link (id, partner_code, partner_name, partner_url, partner_endpoint, state, created_at, updated_at) values ($1, $2, $3, $4, 'http://127.0.0.1:9', 'ACTIVE', now(), now())`,
      [linkId, code, info.name, info.url],
    );
    return { code, linkId, info };
  }

  /** Gives its id. */
  async coupling({ linkId }: PlantedPartner, guideId: string, since = new Date()): Promise<string> {
    const id = randomUUID();
    await this.house.records.seed.coupling({ id, link: { id: linkId }, guideId, globalId: `g_${guideId}`, since });
    return id;
  }

  /** From then on the copies are known to be whole. */
  async complete({ linkId }: PlantedPartner, completeAt: Date | null): Promise<void> {
    await this.house.records.query(
      'insert into sync_peer (link_id, complete_at) values ($1, $2) on conflict (link_id) do update set complete_at = excluded.complete_at',
      [linkId, completeAt],
    );
  }

  /** Gives its id; a repetition with the same one replaces it. */
  async copy({ id = randomUUID(), couplingId, guideId, hours, title = 'Tour there', kind = 'BOOKING', ended = false, disputed = false, receivedAt = new Date() }: PlantedCopy): Promise<string> {
    await this.house.records.query(
      `insert into foreign_booking (coupling_id, id, guide_id, link_id, incarnation, version, start_at, end_at, offer_title, kind, ended, received_at, ended_at, disputed_at)
       select c.id, $2, $3, c.link_id, 1, 1, $4, $5, $6, $7, $8, $9::timestamptz, case when $8 then $9::timestamptz end, case when $10::boolean then $9::timestamptz end from coupling c where c.id = $1
       on conflict (coupling_id, id) do update set version = foreign_booking.version + 1, start_at = excluded.start_at, end_at = excluded.end_at, offer_title = excluded.offer_title,
         kind = excluded.kind, ended = excluded.ended, received_at = excluded.received_at, ended_at = excluded.ended_at, disputed_at = excluded.disputed_at`,
      [couplingId, id, guideId, at(hours[0]), at(hours[1]), ended ? null : title, kind, ended, receivedAt, disputed],
    );
    return id;
  }

  /** What receipt tells all replicas of this house. */
  async tell(guideId: string, foreignId: string, change: 'CREATED' | 'UPDATED' | 'REMOVED'): Promise<void> {
    await this.house.records.query(`select pg_notify('lotse_event', $1)`, [JSON.stringify({ kind: 'foreign', guideId, foreignId, change })]);
  }
}
