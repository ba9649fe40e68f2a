-- Blocks in calendars; and a guide's own calendar together with what linked houses have told of him, in one answer.

drop function calendar_entry(uuid, uuid);
drop function calendar_of_guide(uuid, timestamptz, timestamptz);
drop function calendar_of_guides(uuid[], timestamptz, timestamptz);
drop function foreign_booking_of_guide(uuid, uuid);

-- Calendars in full, for many guides at once: staff of this house. The notes of a block are why the guide is withheld.
create function calendar_of_guides(p_guides uuid[], p_from timestamptz, p_to timestamptz)
returns table (
  guide_id uuid, id uuid, start_at timestamptz, end_at timestamptz, offer_title text, kind text,
  booking_id uuid, customer_name text, customer_email text, customer_phone text,
  party_size integer, language text, notes text
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select a.guide_id, a.id, a.start_at, a.end_at, case when a.kind = 'BLOCK' then s.block_title else o.title end, a.kind,
         b.id, c.name, c.email, c.phone, b.party_size, b.language, case when a.kind = 'BLOCK' then a.block_note else b.notes end
  from public.guide_assignment a
  cross join public.settings s
  left join public.booking b on b.id = a.booking_id
  left join public.offer o on o.id = b.offer_id
  left join public.customer c on c.id = b.customer_id
  where a.guide_id = any (p_guides) and a.ended_at is null
    and tstzrange(a.start_at, a.end_at) && tstzrange(p_from, p_to)
  order by a.guide_id, a.start_at, a.id
$$;
revoke all on function calendar_of_guides(uuid[], timestamptz, timestamptz) from public;
grant execute on function calendar_of_guides(uuid[], timestamptz, timestamptz) to lotse_app;

-- What one guide himself sees: his own house in full, and the copies of what linked houses hold. A copy is as old as the last moment at
-- which nothing waited for us over there; while that is not known, as old as its own receipt.
create function calendar_of_guide(p_guide uuid, p_from timestamptz, p_to timestamptz)
returns table (
  id uuid, start_at timestamptz, end_at timestamptz, offer_title text, kind text,
  booking_id uuid, customer_name text, customer_email text, customer_phone text,
  party_size integer, language text, notes text,
  partner_code text, partner_name text, partner_url text, as_of timestamptz, disputed boolean
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select own.id, own.start_at, own.end_at, own.offer_title, own.kind,
         own.booking_id, own.customer_name, own.customer_email, own.customer_phone, own.party_size, own.language, own.notes,
         null, null, null, null, false
  from public.calendar_of_guides(array[p_guide], p_from, p_to) own
  union all
  select f.id, f.start_at, f.end_at, f.offer_title, f.kind,
         null, null, null, null, null, null, null,
         l.partner_code, l.partner_name, l.partner_url,
         case when c.paused_here or c.paused_there then f.received_at else coalesce(p.complete_at, f.received_at) end,
         f.disputed_at is not null
  from public.foreign_booking f
  join public.coupling c on c.id = f.coupling_id
  join public.link l on l.id = f.link_id
  left join public.sync_peer p on p.link_id = f.link_id
  where f.guide_id = p_guide and not f.ended and f.start_at < p_to and f.end_at > p_from
  order by 2, 1
$$;
revoke all on function calendar_of_guide(uuid, timestamptz, timestamptz) from public;
grant execute on function calendar_of_guide(uuid, timestamptz, timestamptz) to lotse_guide;

-- One entry of an own calendar, for events.
create function calendar_entry(p_guide uuid, p_assignment uuid)
returns table (
  id uuid, start_at timestamptz, end_at timestamptz, offer_title text, kind text,
  booking_id uuid, customer_name text, customer_email text, customer_phone text,
  party_size integer, language text, notes text
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select a.id, a.start_at, a.end_at, case when a.kind = 'BLOCK' then s.block_title else o.title end, a.kind,
         b.id, c.name, c.email, c.phone, b.party_size, b.language, case when a.kind = 'BLOCK' then a.block_note else b.notes end
  from public.guide_assignment a
  cross join public.settings s
  left join public.booking b on b.id = a.booking_id
  left join public.offer o on o.id = b.offer_id
  left join public.customer c on c.id = b.customer_id
  where a.id = p_assignment and a.guide_id = p_guide and a.ended_at is null
$$;
revoke all on function calendar_entry(uuid, uuid) from public;
grant execute on function calendar_entry(uuid, uuid) to lotse_app, lotse_guide;

-- A foreign booking of that id, ended ones included; more than one where two houses use the same id.
create function foreign_bookings_of_id(p_guide uuid, p_id uuid)
returns table (
  id uuid, start_at timestamptz, end_at timestamptz, offer_title text, kind text,
  partner_code text, partner_name text, partner_url text, as_of timestamptz, disputed boolean, ended boolean
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select f.id, f.start_at, f.end_at, f.offer_title, f.kind, l.partner_code, l.partner_name, l.partner_url,
         case when c.paused_here or c.paused_there then f.received_at else coalesce(p.complete_at, f.received_at) end,
         f.disputed_at is not null, f.ended
  from public.foreign_booking f
  join public.coupling c on c.id = f.coupling_id
  join public.link l on l.id = f.link_id
  left join public.sync_peer p on p.link_id = f.link_id
  where f.guide_id = p_guide and f.id = p_id
$$;
revoke all on function foreign_bookings_of_id(uuid, uuid) from public;
grant execute on function foreign_bookings_of_id(uuid, uuid) to lotse_guide;

-- Another title of blocks is another version of every living block that a linked house knows.
create function block_title_to_assignments() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform 1 from public.guide g
  where g.id in (select a.guide_id from public.guide_assignment a where a.kind = 'BLOCK' and a.ended_at is null)
  order by g.id for no key update;
  update public.guide_assignment a set version = a.version + 1
  where a.kind = 'BLOCK' and a.ended_at is null
    and exists (select 1 from public.coupling c where c.guide_id = a.guide_id and c.state = 'ACTIVE');
  return null;
end
$$;
revoke all on function block_title_to_assignments() from public;
create trigger block_title_to_assignments after update on settings for each row
  when (old.block_title is distinct from new.block_title) execute function block_title_to_assignments();
