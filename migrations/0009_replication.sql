-- Delivery and receipt of what replicates: full transfers, and the state kept of each partner.

-- Everything of a coupling that replicates goes into the outbox: when it becomes active, on the operator's demand, and after a
-- restore. Each kind of record gives a function outbox_records_<kind in lower case>(coupling uuid) returns setof uuid, found here by
-- its name. Callers hold the row lock of the coupling's guide.
create function outbox_fill_coupling(p_coupling uuid) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_link uuid;
  v_records record;
begin
  select c.link_id into v_link from public.coupling c where c.id = p_coupling;
  for v_records in
    select p.proname::text as name from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname like 'outbox\_records\_%' order by p.proname
  loop
    execute format(
      'insert into public.outbox (coupling_id, kind, record_id, link_id, seq, waiting_since)
       select $1, %L, r, $2, nextval(''public.outbox_seq''), clock_timestamp() from public.%I($1) r order by r
       on conflict (coupling_id, kind, record_id) do update
         set seq = excluded.seq, attempts = 0, refused_code = null, retry_at = null',
      upper(substr(v_records.name, length('outbox_records_') + 1)), v_records.name)
    using p_coupling, v_link;
  end loop;
  perform pg_notify('lotse_event', json_build_object('kind', 'outbox', 'linkId', v_link)::text);
end
$$;
revoke all on function outbox_fill_coupling(uuid) from public;
grant execute on function outbox_fill_coupling(uuid) to lotse_worker;

-- Ended ones too, as far as the partner may hold them: a partner that is told of everything must not keep them as living.
create function outbox_records_assignment(p_coupling uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public
as $$
  select a.id from public.coupling c join public.guide_assignment a on a.guide_id = c.guide_id
  where c.id = p_coupling and (a.ended_at is null or a.ended_at >= coalesce(c.since, c.created_at))
$$;
revoke all on function outbox_records_assignment(uuid) from public;

-- Whoever makes a coupling active, by whatever path: the first full transfer is in the outbox with it, so it survives interruption.
create function coupling_to_outbox() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform public.outbox_fill_coupling(new.id);
  return null;
end
$$;
revoke all on function coupling_to_outbox() from public;
create trigger coupling_to_outbox_insert after insert on coupling for each row
  when (new.state = 'ACTIVE') execute function coupling_to_outbox();
create trigger coupling_to_outbox_update after update on coupling for each row
  when (new.state = 'ACTIVE' and old.state <> 'ACTIVE') execute function coupling_to_outbox();

-- A link that is in force has its counters.
create function link_to_sync_peer() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  insert into public.sync_peer (link_id) values (new.id) on conflict do nothing;
  return null;
end
$$;
revoke all on function link_to_sync_peer() from public;
create trigger link_to_sync_peer after insert or update on link for each row
  when (new.state = 'ACTIVE') execute function link_to_sync_peer();

-- Links and couplings of the release before.
insert into sync_peer (link_id) select id from link where state = 'ACTIVE' on conflict do nothing;
select outbox_fill_coupling(id) from coupling where state = 'ACTIVE' order by id;

-- What a partner still holds of this house that a restore has taken from it: times and titles of its own. Staff let them go one by one;
-- those let go are sent as ended ones, and so is what a partner holds of us that never was.
create table "lost_booking" ("coupling_id" uuid not null, "id" uuid not null, "guide_id" uuid not null, "start_at" timestamptz(3) not null, "end_at" timestamptz(3) not null, "offer_title" varchar(200) null, "kind" varchar(16) not null, "version" int not null, "incarnation" int not null, "found_at" timestamptz(3) not null, "released_at" timestamptz(3) null, primary key ("coupling_id", "id"));
create index "lost_booking_id_index" on "lost_booking" ("id");
alter table "lost_booking" add constraint "lost_booking_coupling_id_foreign" foreign key ("coupling_id") references "coupling" ("id");
alter table "lost_booking" add constraint "lost_booking_guide_id_foreign" foreign key ("guide_id") references "guide" ("id");
grant select, insert, update, delete on lost_booking to lotse_worker;
-- Not the coupling: it would tell who holds it.
grant select (id, guide_id, start_at, end_at, offer_title, kind, found_at, released_at) on lost_booking to lotse_app;

create function release_lost_booking(p_id uuid, p_now timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform 1 from public.guide g where g.id in (select l.guide_id from public.lost_booking l where l.id = p_id) order by g.id for no key update;
  update public.lost_booking set released_at = p_now where id = p_id and released_at is null;
  perform public.outbox_put(c.link_id, c.id, 'ASSIGNMENT', l.id)
  from public.lost_booking l join public.coupling c on c.id = l.coupling_id
  where l.id = p_id and c.state = 'ACTIVE' order by c.id;
end
$$;
revoke all on function release_lost_booking(uuid, timestamptz) from public;
grant execute on function release_lost_booking(uuid, timestamptz) to lotse_app, lotse_worker;

-- A copy that is not what it should be, at a version that is not below ours, is beaten by a greater one. Callers hold the guide's lock.
create function outrun_assignment(p_id uuid, p_version int) returns void
language sql security definer set search_path = pg_catalog, public
as $$
  update public.guide_assignment set version = greatest(version, p_version) + 1 where id = p_id
$$;
revoke all on function outrun_assignment(uuid, int) from public;
grant execute on function outrun_assignment(uuid, int) to lotse_worker;

-- With a coupling ends what was received over it, there as well: nobody holds these any more.
create function coupling_to_lost_bookings() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  delete from public.lost_booking where coupling_id = new.id;
  return null;
end
$$;
revoke all on function coupling_to_lost_bookings() from public;
create trigger coupling_to_lost_bookings after update on coupling for each row
  when (new.state = 'ENDED' and old.state <> 'ENDED') execute function coupling_to_lost_bookings();
