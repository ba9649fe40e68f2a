-- Guide synchronisation: what waits for linked houses, what was received from them, and who may read it.

-- Blocks are assignments without a booking: the same constraint keeps both apart, and both travel alike.
alter table "guide_assignment" add column "kind" varchar(16) not null default 'BOOKING', add column "block_note" text null, add column "verification" varchar(16) not null default 'NOT_NEEDED';
alter table "settings" add column "block_title" varchar(200) not null default 'Blocked';
alter table "coupling" add column "paused_here" boolean not null default false, add column "paused_there" boolean not null default false;

create table "sync_state" ("id" int not null, "incarnation" int not null default 1, "last_stamp" varchar(64) not null default '', primary key ("id"));
insert into sync_state (id) values (1);
create table "outbox" ("coupling_id" uuid not null, "kind" varchar(16) not null, "record_id" uuid not null, "link_id" uuid not null, "seq" bigint not null, "waiting_since" timestamptz(3) not null, "attempts" int not null default 0, "refused_code" varchar(64) null, "retry_at" timestamptz(3) null, primary key ("coupling_id", "kind", "record_id"));
create index "outbox_link" on "outbox" ("link_id", "seq");
create table "sync_peer" ("link_id" uuid not null, "sent_number" int not null default 0, "sent_id" uuid null, "acked_number" int not null default 0, "received_number" int not null default 0, "received_id" uuid null, "partner_incarnation" int not null default 0, "partner_release" varchar(32) null, "last_contact_at" timestamptz(3) null, "complete_at" timestamptz(3) null, "last_error" varchar(64) null, "last_error_at" timestamptz(3) null, "last_digest_at" timestamptz(3) null, "last_digest_result" varchar(64) null, primary key ("link_id"));
create table "foreign_booking" ("coupling_id" uuid not null, "id" uuid not null, "guide_id" uuid not null, "link_id" uuid not null, "incarnation" int not null, "version" int not null, "start_at" timestamptz(3) not null, "end_at" timestamptz(3) not null, "offer_title" varchar(200) null, "kind" varchar(16) not null, "ended" boolean not null default false, "received_at" timestamptz(3) not null, "ended_at" timestamptz(3) null, "disputed_at" timestamptz(3) null, primary key ("coupling_id", "id"));
create index "foreign_booking_calendar" on "foreign_booking" ("guide_id", "start_at");
create index "foreign_booking_link_id_index" on "foreign_booking" ("link_id");
create index "foreign_booking_disputed" on "foreign_booking" ("id") where "disputed_at" is not null;

alter table "sync_peer" add constraint "sync_peer_link_id_foreign" foreign key ("link_id") references "link" ("id") on update cascade on delete cascade;
alter table "outbox" add constraint "outbox_link_id_foreign" foreign key ("link_id") references "link" ("id") on delete cascade;
alter table "foreign_booking" add constraint "foreign_booking_coupling_id_foreign" foreign key ("coupling_id") references "coupling" ("id");
alter table "foreign_booking" add constraint "foreign_booking_guide_id_foreign" foreign key ("guide_id") references "guide" ("id");
alter table "foreign_booking" add constraint "foreign_booking_link_id_foreign" foreign key ("link_id") references "link" ("id");

alter table sync_state add constraint sync_state_single_row check (id = 1);
alter table foreign_booking add constraint foreign_booking_interval check (end_at > start_at);
create sequence outbox_seq;

-- Rights: the worker alone. Titles and origins are out of reach for everybody who asks for a house; see the functions below.
grant select, insert, update, delete on outbox, sync_peer, foreign_booking to lotse_worker;
grant select, update on sync_state to lotse_worker;
grant usage on sequence outbox_seq to lotse_worker;
grant select, update (last_stamp) on sync_state to lotse_app;
grant select (id, guide_id, start_at, end_at, ended_at, kind, verification, version, created_at) on guide_assignment to lotse_worker;
grant update (verification) on guide_assignment to lotse_worker;
grant update (paused_here) on coupling to lotse_app;

-- A change and its outgoing work commit together: one waiting row for each record and coupling, which a newer change replaces.
create function outbox_put(p_link uuid, p_coupling uuid, p_kind text, p_record uuid) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  insert into public.outbox (coupling_id, kind, record_id, link_id, seq, waiting_since)
  values (p_coupling, p_kind, p_record, p_link, nextval('public.outbox_seq'), clock_timestamp())
  on conflict (coupling_id, kind, record_id) do update
    set seq = excluded.seq, attempts = 0, refused_code = null, retry_at = null;
  perform pg_notify('lotse_event', json_build_object('kind', 'outbox', 'linkId', p_link)::text);
end
$$;
revoke all on function outbox_put(uuid, uuid, text, uuid) from public;
grant execute on function outbox_put(uuid, uuid, text, uuid) to lotse_app, lotse_worker;

-- What is due for a link, in the order of its changes. Read along the index: the queue is empty most of the time, so statistics would have
-- it believed short and sorted as a whole for each batch, which for a long one takes the square of its length.
create function outbox_due(p_link uuid, p_kinds text[], p_while_paused text[], p_now timestamptz, p_limit int)
returns table (coupling_id uuid, kind text, record_id uuid, seq bigint)
language sql stable set search_path = pg_catalog, public set enable_sort = off set enable_bitmapscan = off set enable_hashjoin = off
as $$
  select o.coupling_id, o.kind, o.record_id, o.seq
  from public.outbox o left join public.coupling c on c.id = o.coupling_id
  where o.link_id = p_link and o.kind = any (p_kinds) and (o.retry_at is null or o.retry_at <= p_now)
    and (not coalesce(c.paused_here or c.paused_there, false) or o.kind = any (p_while_paused))
  order by o.seq limit p_limit
$$;
revoke all on function outbox_due(uuid, text[], text[], timestamptz, int) from public;
grant execute on function outbox_due(uuid, text[], text[], timestamptz, int) to lotse_worker;

-- Whoever changes an assignment, by whatever path: its couplings hear of it. Callers hold the guide's row lock, as does whoever
-- activates a coupling, so that none of the two misses the other.
create function assignment_to_outbox() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform public.outbox_put(c.link_id, c.id, 'ASSIGNMENT', new.id)
  from public.coupling c where c.guide_id = new.guide_id and c.state = 'ACTIVE' order by c.id;
  return null;
end
$$;
revoke all on function assignment_to_outbox() from public;
create trigger assignment_to_outbox_insert after insert on guide_assignment for each row execute function assignment_to_outbox();
create trigger assignment_to_outbox_update after update on guide_assignment for each row
  when (old.version is distinct from new.version) execute function assignment_to_outbox();

-- Another public title is another version of every living assignment of the offer.
create function offer_title_to_assignments() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform 1 from public.guide g
  where g.id in (select a.guide_id from public.guide_assignment a join public.booking b on b.id = a.booking_id where b.offer_id = new.id and a.ended_at is null)
  order by g.id for no key update;
  update public.guide_assignment a set version = a.version + 1
  from public.booking b
  where b.id = a.booking_id and b.offer_id = new.id and a.ended_at is null
    and exists (select 1 from public.coupling c where c.guide_id = a.guide_id and c.state = 'ACTIVE');
  return null;
end
$$;
revoke all on function offer_title_to_assignments() from public;
create trigger offer_title_to_assignments after update on offer for each row
  when (old.title is distinct from new.title) execute function offer_title_to_assignments();

-- The one redacted view that live answers and deliveries share: everything that ever leaves about a guide's booking.
-- Ended assignments leave without a title: they tell that they ended.
drop view partner_assignment;
create view partner_assignment with (security_barrier) as
  select c.id as coupling_id, c.link_id, l.partner_code, c.global_id,
         a.id, a.start_at, a.end_at,
         case when a.ended_at is not null then null when a.kind = 'BLOCK' then s.block_title else o.title end as offer_title,
         a.kind::text as kind, a.version, y.incarnation, a.ended_at is not null as ended
  from coupling c
  join link l on l.id = c.link_id
  join guide_assignment a on a.guide_id = c.guide_id
  cross join settings s
  cross join sync_state y
  left join booking b on b.id = a.booking_id
  left join offer o on o.id = b.offer_id
  where c.state = 'ACTIVE' and l.state = 'ACTIVE' and not l.suspended_here and not l.suspended_there;
grant select on partner_assignment to lotse_partner, lotse_worker;

-- Times a guide is taken elsewhere, for staff: when, and nothing else. Ordered by time alone, so that nothing tells of an origin.
create function foreign_times(p_guides uuid[], p_from timestamptz, p_to timestamptz)
returns table (guide_id uuid, start_at timestamptz, end_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select f.guide_id, f.start_at, f.end_at
  from public.foreign_booking f
  where f.guide_id = any (p_guides) and not f.ended and f.disputed_at is null
    and f.start_at < p_to and f.end_at > p_from
  order by f.guide_id, f.start_at, f.end_at
$$;
revoke all on function foreign_times(uuid[], timestamptz, timestamptz) from public;
grant execute on function foreign_times(uuid[], timestamptz, timestamptz) to lotse_app, lotse_worker;

-- The same for one guide who asks himself: with title and house, and how fresh the copy is.
create function foreign_bookings_of_guide(p_guide uuid, p_from timestamptz, p_to timestamptz)
returns table (
  id uuid, start_at timestamptz, end_at timestamptz, offer_title text, kind text,
  partner_code text, partner_name text, partner_url text, as_of timestamptz, disputed boolean
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select f.id, f.start_at, f.end_at, f.offer_title, f.kind, l.partner_code, l.partner_name, l.partner_url, p.complete_at, f.disputed_at is not null
  from public.foreign_booking f
  join public.link l on l.id = f.link_id
  left join public.sync_peer p on p.link_id = f.link_id
  where f.guide_id = p_guide and not f.ended
    and f.start_at < p_to and f.end_at > p_from
  order by f.start_at, l.partner_code, f.id
$$;
revoke all on function foreign_bookings_of_guide(uuid, timestamptz, timestamptz) from public;
grant execute on function foreign_bookings_of_guide(uuid, timestamptz, timestamptz) to lotse_guide;

-- One of them, for events.
create function foreign_booking_of_guide(p_guide uuid, p_id uuid)
returns table (
  id uuid, start_at timestamptz, end_at timestamptz, offer_title text, kind text,
  partner_code text, partner_name text, partner_url text, as_of timestamptz, disputed boolean
)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select f.id, f.start_at, f.end_at, f.offer_title, f.kind, l.partner_code, l.partner_name, l.partner_url, p.complete_at, f.disputed_at is not null
  from public.foreign_booking f
  join public.link l on l.id = f.link_id
  left join public.sync_peer p on p.link_id = f.link_id
  where f.guide_id = p_guide and f.id = p_id and not f.ended
$$;
revoke all on function foreign_booking_of_guide(uuid, uuid) from public;
grant execute on function foreign_booking_of_guide(uuid, uuid) to lotse_guide;
