-- What each login role may touch. None owns a table, none is superuser; a resolver's mistake cannot read what its role cannot.
--   app      staff, administrators, guides' own changes: this instance's data, nothing of other houses' secrets
--   guide    one guide's calendar, through functions alone
--   partner  redacted views alone, shared by live answers and deliveries
--   worker   keys, links, what partners send, housekeeping

revoke all on schema public from public;
grant usage on schema public to lotse_app, lotse_guide, lotse_partner, lotse_worker;
-- Global on purpose: a revocation for one schema cannot take back what the global default gives.
alter default privileges revoke execute on functions from public;

grant select on settings, link, coupling to lotse_app;
grant select, insert, update, delete on
  account_role, session, refresh_token, session_subscription, invitation, login_attempt, idempotency_key,
  guide_offer, offer, customer, booking, guide_assignment
  to lotse_app;
grant select, insert, update on account to lotse_app;
-- A guide's identity across houses is moved by the worker alone, when both houses and the guide agree.
grant select, insert on guide to lotse_app;
grant update (first_name, last_name, email, phone, languages, active, version) on guide to lotse_app;
grant insert on coupling to lotse_app;
grant update (guide_id, state, requested_name, updated_at, version) on coupling to lotse_app;
-- The action log is only ever added to.
grant select, insert on audit_entry to lotse_app;
grant insert on audit_entry to lotse_worker;

grant select, insert, update, delete on
  settings, signing_key, link, link_key, coupling, used_token, idempotency_key, login_attempt
  to lotse_worker;
-- Operators invite; mails are sent. Password hashes are none of its business.
grant select (id, email, display_name, state, guide_id, version), insert, update (email, display_name, version) on account to lotse_worker;
grant select, insert on account_role to lotse_worker;
grant select, insert, update on invitation, session to lotse_worker;
grant delete on session, refresh_token, invitation to lotse_worker;
grant select on refresh_token to lotse_worker;
grant select, insert on guide_alias to lotse_worker;
grant select on guide_alias to lotse_app;
grant select (id, global_id, global_id_minted_at, first_name, last_name, active, version),
      update (global_id, global_id_minted_at) on guide to lotse_worker;

-- Calendars in full, for many guides at once: staff of this house.
create function calendar_of_guides(p_guides uuid[], p_from timestamptz, p_to timestamptz)
returns table (
  guide_id uuid, id uuid, start_at timestamptz, end_at timestamptz, offer_title text,
  booking_id uuid, customer_name text, customer_email text, customer_phone text,
  party_size integer, language text, notes text
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select a.guide_id, a.id, a.start_at, a.end_at, o.title,
         b.id, c.name, c.email, c.phone, b.party_size, b.language, b.notes
  from public.guide_assignment a
  join public.booking b on b.id = a.booking_id
  join public.offer o on o.id = b.offer_id
  join public.customer c on c.id = b.customer_id
  where a.guide_id = any (p_guides) and a.ended_at is null
    and tstzrange(a.start_at, a.end_at) && tstzrange(p_from, p_to)
  order by a.guide_id, a.start_at, a.id
$$;
revoke all on function calendar_of_guides(uuid[], timestamptz, timestamptz) from public;
grant execute on function calendar_of_guides(uuid[], timestamptz, timestamptz) to lotse_app;

-- The same for one guide: what he himself sees of his own house.
create function calendar_of_guide(p_guide uuid, p_from timestamptz, p_to timestamptz)
returns table (
  guide_id uuid, id uuid, start_at timestamptz, end_at timestamptz, offer_title text,
  booking_id uuid, customer_name text, customer_email text, customer_phone text,
  party_size integer, language text, notes text
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select * from public.calendar_of_guides(array[p_guide], p_from, p_to)
$$;
revoke all on function calendar_of_guide(uuid, timestamptz, timestamptz) from public;
grant execute on function calendar_of_guide(uuid, timestamptz, timestamptz) to lotse_guide;

-- All that ever leaves an instance about a guide's booking. Live answers and deliveries both read this view and nothing else.
create view partner_assignment with (security_barrier) as
  select c.id as coupling_id, c.link_id, l.partner_code, c.global_id,
         a.id, a.start_at, a.end_at, o.title as offer_title, 'BOOKING'::text as kind, a.version, a.ended_at is not null as ended
  from coupling c
  join link l on l.id = c.link_id
  join guide_assignment a on a.guide_id = c.guide_id
  left join booking b on b.id = a.booking_id
  left join offer o on o.id = b.offer_id
  where c.state = 'ACTIVE' and l.state = 'ACTIVE' and not l.suspended_here and not l.suspended_there;
grant select on partner_assignment to lotse_partner;

-- One entry of those calendars, for events.
create function calendar_entry(p_guide uuid, p_assignment uuid)
returns table (
  guide_id uuid, id uuid, start_at timestamptz, end_at timestamptz, offer_title text,
  booking_id uuid, customer_name text, customer_email text, customer_phone text,
  party_size integer, language text, notes text
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select a.guide_id, a.id, a.start_at, a.end_at, o.title,
         b.id, c.name, c.email, c.phone, b.party_size, b.language, b.notes
  from public.guide_assignment a
  join public.booking b on b.id = a.booking_id
  join public.offer o on o.id = b.offer_id
  join public.customer c on c.id = b.customer_id
  where a.id = p_assignment and a.guide_id = p_guide and a.ended_at is null
$$;
revoke all on function calendar_entry(uuid, uuid) from public;
grant execute on function calendar_entry(uuid, uuid) to lotse_app, lotse_guide;

-- A guide's own profile, asked for by local id, global id or an alias of it; any other id gives no row.
create function profile_of_guide(p_guide uuid, p_asked text) returns setof guide
language sql stable security definer set search_path = pg_catalog, public
as $$
  select g.* from public.guide g
  where g.id = p_guide
    and (g.id::text = lower(p_asked) or g.global_id = p_asked
      or exists (select 1 from public.guide_alias a where a.global_id = p_asked and a.guide_id = g.id))
$$;
revoke all on function profile_of_guide(uuid, text) from public;
grant execute on function profile_of_guide(uuid, text) to lotse_guide;

-- Background jobs are queued by name through this alone; the queue itself belongs to the worker.
create function enqueue_job(p_task text, p_payload json, p_key text) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform graphile_worker.add_job(p_task, p_payload, job_key => p_key);
end
$$;
revoke all on function enqueue_job(text, json, text) from public;
grant execute on function enqueue_job(text, json, text) to lotse_app, lotse_worker;
