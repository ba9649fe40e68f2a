/*
 * One statement for any number of rows: they travel as one JSON array, whose members are typed by the table itself.
 * Only columns named here are written, so that what a later migration adds keeps its default.
 */

const insert = (table: string, columns: readonly string[]): string =>
  `insert into ${table} (${columns.join(', ')}) select ${columns.join(', ')} from json_populate_recordset(null::${table}, $1)`;

export const GUIDES = insert('guide', ['id', 'first_name', 'last_name', 'email', 'phone', 'languages', 'global_id', 'global_id_minted_at', 'active']);
export const GUIDE_OFFERS = insert('guide_offer', ['guide_id', 'offer_id']);
export const ACCOUNTS = insert('account', ['id', 'email', 'display_name', 'password_hash', 'state', 'guide_id']);
export const ROLES = insert('account_role', ['account_id', 'role']);
export const CUSTOMERS = insert('customer', ['id', 'name', 'email', 'phone', 'created_at']);
export const ASSIGNMENTS = insert('guide_assignment', ['id', 'guide_id', 'booking_id', 'start_at', 'end_at', 'ended_at', 'created_at']);

export const OFFERS = `
  insert into offer (id, title, description, duration_minutes, languages, guide_demand, price_amount, price_currency, active)
  select r.id, r.title, r.description, r.duration_minutes, r.languages, r.guide_demand, r.price_amount, coalesce(r.price_currency, s.currency), r.active
  from json_populate_recordset(null::offer, $1) r cross join settings s`;

export const BOOKINGS = `
  insert into booking (id, offer_id, customer_id, start_at, end_at, state, party_size, language, notes, guide_demand,
                       cancel_reason, cancel_origin, cancelled_at, created_at, updated_at)
  select r.id, r.offer_id, r.customer_id, r.start_at, r.end_at, r.state, r.party_size, r.language, r.notes, coalesce(r.guide_demand, o.guide_demand, 1),
         r.cancel_reason, r.cancel_origin, r.cancelled_at, r.created_at, r.updated_at
  from json_populate_recordset(null::booking, $1) r left join offer o on o.id = r.offer_id`;

export const AVAILABILITY_RULES = `
  insert into availability_rule (id, guide_id, origin, time_zone, start_time, duration_minutes, rrule, valid_from, skips_holidays, stamp, holidays_stamp, created_at, updated_at)
  select r.id, r.guide_id, s.code, s.time_zone, r.start_time, r.duration_minutes, r.rrule, r.valid_from, r.skips_holidays, t.stamp, t.stamp, r.created_at, r.created_at
  from json_populate_recordset(null::availability_rule, $1) r cross join settings s
  cross join lateral (select lpad(floor(extract(epoch from r.created_at) * 1000)::bigint::text, 15, '0') || '-00000000-' || s.code as stamp) t`;

const COUPLING_ROWS = `json_to_recordset($1) as r (
    id uuid, link_id uuid, partner_code text, guide_id uuid, global_id text, minted_at timestamptz, requested_here boolean, since timestamptz)`;
const LIVING_LINK = `link l on l.state <> 'ENDED' and (l.id = r.link_id or l.partner_code = r.partner_code)`;

export const COUPLING_CHECK = `select coalesce(r.link_id::text, r.partner_code) as link from ${COUPLING_ROWS} left join ${LIVING_LINK} where l.id is null limit 1`;

export const COUPLED_GUIDES = `
  update guide g set global_id = r.global_id, global_id_minted_at = r.minted_at
  from ${COUPLING_ROWS} where g.id = r.guide_id and g.global_id is distinct from r.global_id`;

export const COUPLINGS = `
  insert into coupling (id, link_id, guide_id, global_id, state, requested_here, confirmed_here, confirmed_there, partner_global_id, partner_global_id_minted_at, since, created_at, updated_at)
  select r.id, l.id, r.guide_id, r.global_id, 'ACTIVE', r.requested_here, true, true, r.global_id, r.minted_at, r.since, r.since, r.since
  from ${COUPLING_ROWS} join ${LIVING_LINK}`;

/** Servers hold couplings in memory; this is what they are told when one changes. */
export const LINKS_CHANGED = `select pg_notify('lotse_event', '{"kind":"links"}')`;
