-- Who may lead what, up to how much, and who was asked. Nothing of this leaves the instance.

alter table "offer" add column "age_groups" text[] not null default '{}';
alter table "booking" add column "age_group" varchar(16) null;
-- Null: not narrowed, so whatever he speaks and every age group.
alter table "guide_offer" add column "languages" text[] null, add column "age_groups" text[] null;

create table "guide_limits" ("guide_id" uuid not null, "minutes_per_day" int null, "bookings_per_day" int null, "minutes_per_week" int null, "bookings_per_week" int null, "minutes_per_month" int null, "bookings_per_month" int null, "counts_foreign_bookings" boolean not null default false, primary key ("guide_id"));
create table "guide_request" ("id" uuid not null, "booking_id" uuid not null, "guide_id" uuid not null, "offer_id" uuid not null, "start_at" timestamptz(3) not null, "end_at" timestamptz(3) not null, "language" varchar(35) null, "age_group" varchar(16) null, "deadline" timestamptz(3) not null, "state" varchar(16) not null, "withdrawal" varchar(16) null, "created_at" timestamptz(3) not null, "closed_at" timestamptz(3) null, primary key ("id"));
create index "guide_request_booking" on "guide_request" ("booking_id", "created_at");
create index "guide_request_guide" on "guide_request" ("guide_id", "created_at");
create index "guide_request_created" on "guide_request" ("created_at", "id");
alter table "guide_limits" add constraint "guide_limits_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on update cascade on delete cascade;
alter table "guide_request" add constraint "guide_request_booking_id_foreign" foreign key ("booking_id") references "booking" ("id") on delete cascade;
alter table "guide_request" add constraint "guide_request_guide_id_foreign" foreign key ("guide_id") references "guide" ("id");
alter table "guide_request" add constraint "guide_request_offer_id_foreign" foreign key ("offer_id") references "offer" ("id");

-- Nobody is asked twice at once for the same booking.
create unique index guide_request_open on guide_request (booking_id, guide_id) where state = 'OPEN';
-- What all guides do at a time; the constraint against overlaps begins with the guide.
create index guide_assignment_time on guide_assignment using gist (tstzrange(start_at, end_at)) where ended_at is null;
create index guide_request_open_guide on guide_request (guide_id, deadline, id) where state = 'OPEN';

grant select, insert, update on guide_limits to lotse_app;
grant select, insert, update on guide_request to lotse_app;

-- Whoever changes a booking, by whatever path: what was asked of guides must still be so. Every change of a booking or of its
-- assignments raises its version and says when.
--   time, offer, language or age group are others, or it is cancelled: nobody has agreed to that; all are withdrawn
--   a guide was assigned: his own request is done with, and so are those that no place is left for
-- What has passed its deadline stays as it is: expired.
create function booking_to_requests() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  update public.guide_request r
  set state = 'WITHDRAWN', closed_at = new.updated_at, withdrawal =
    case when (old.start_at, old.end_at, old.offer_id, old.state, old.language, old.age_group)
              is distinct from (new.start_at, new.end_at, new.offer_id, new.state, new.language, new.age_group) then 'BOOKING_CHANGED'
         when exists (select 1 from public.guide_assignment a
                      where a.booking_id = new.id and a.guide_id = r.guide_id and a.ended_at is null
                        and a.start_at < r.end_at and a.end_at > r.start_at) then 'ASSIGNED'
         else 'FILLED' end
  where r.booking_id = new.id and r.state = 'OPEN' and r.deadline > new.updated_at
    and ((old.start_at, old.end_at, old.offer_id, old.state, old.language, old.age_group)
          is distinct from (new.start_at, new.end_at, new.offer_id, new.state, new.language, new.age_group)
      or exists (select 1 from public.guide_assignment a
                 where a.booking_id = new.id and a.guide_id = r.guide_id and a.ended_at is null
                   and a.start_at < r.end_at and a.end_at > r.start_at)
      or new.guide_demand <= (select count(*) from public.guide_assignment a
                              where a.booking_id = new.id and a.ended_at is null
                                and a.start_at < r.end_at and a.end_at > r.start_at));
  return null;
end
$$;
revoke all on function booking_to_requests() from public;
create trigger booking_to_requests after update on booking for each row
  when (old.version is distinct from new.version) execute function booking_to_requests();

-- A withdrawal by the trigger above is in the action log as what somebody did: whoever the last entry of the transaction names, or the
-- system. At the end of the transaction, since the entry of the change itself may come after it; see AuditService.
create function request_withdrawal_logged() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_actor json := coalesce(nullif(current_setting('lotse.actor', true), ''), '{"actor_kind": "SYSTEM"}')::json;
begin
  insert into public.audit_entry (id, at, actor_kind, actor_id, actor_role, action, subject_type, subject_id, after)
  values (gen_random_uuid(), new.closed_at, v_actor ->> 'actor_kind', v_actor ->> 'actor_id', v_actor ->> 'actor_role', 'request.withdrawn', 'request', new.id,
          jsonb_build_object('bookingId', new.booking_id, 'guideId', new.guide_id, 'withdrawal', new.withdrawal));
  return null;
end
$$;
revoke all on function request_withdrawal_logged() from public;
create constraint trigger request_withdrawal_logged after update on guide_request deferrable initially deferred for each row
  when (old.state = 'OPEN' and new.state = 'WITHDRAWN' and new.withdrawal <> 'BY_STAFF') execute function request_withdrawal_logged();

-- Whoever makes or closes a request, by whatever path: the guide's sockets and staff's hear of it.
create function request_told() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform pg_notify('lotse_event', json_build_object('kind', 'request', 'guideId', new.guide_id, 'requestId', new.id)::text);
  return null;
end
$$;
revoke all on function request_told() from public;
create trigger request_told_insert after insert on guide_request for each row execute function request_told();
create trigger request_told_update after update on guide_request for each row
  when (old.state is distinct from new.state) execute function request_told();
