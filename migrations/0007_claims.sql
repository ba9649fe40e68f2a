-- Claims: who may count on a guide at a time, decided by one house for all that couple him.

alter table "guide" add column "claim_keeper" varchar(32) null, add column "keeper_epoch" int not null default 0;
alter table "guide_assignment" add column "claim_version" int not null default 1;
alter table "settings" add column "unreachable_keeper" varchar(8) not null default 'ACCEPT';
create table "claim" ("holder" varchar(32) not null, "id" uuid not null, "guide_id" uuid not null, "incarnation" int not null, "version" int not null, "start_at" timestamptz(3) null, "end_at" timestamptz(3) null, "state" varchar(16) not null, "claimed_at" timestamptz(3) not null, "changed_at" timestamptz(3) not null, primary key ("holder", "id"));
create index "claim_guide_id_index" on "claim" ("guide_id");
create index "claim_in_conflict" on "claim" ("guide_id") where "state" = 'CONFLICT';
create table "assignment_dispute" ("coupling_id" uuid not null, "assignment_id" uuid not null, "disputed_at" timestamptz(3) not null, primary key ("coupling_id", "assignment_id"));
create index "assignment_dispute_assignment_id_index" on "assignment_dispute" ("assignment_id");
alter table "claim" add constraint "claim_guide_id_foreign" foreign key ("guide_id") references "guide" ("id");
alter table "assignment_dispute" add constraint "assignment_dispute_coupling_id_foreign" foreign key ("coupling_id") references "coupling" ("id") on update cascade on delete cascade;
alter table "assignment_dispute" add constraint "assignment_dispute_assignment_id_foreign" foreign key ("assignment_id") references "guide_assignment" ("id") on update cascade on delete cascade;

-- Whatever is said, in whatever order: no two verified claims of one guide overlap.
alter table claim add constraint claim_no_overlap
  exclude using gist (guide_id with =, tstzrange(start_at, end_at) with &&) where (state = 'VERIFIED');
alter table claim add constraint claim_interval check (state = 'RELEASED' or end_at > start_at);
alter table settings add constraint settings_unreachable_keeper check (unreachable_keeper in ('ACCEPT', 'REFUSE'));

grant select, insert, update, delete on claim, assignment_dispute to lotse_worker;
grant select (claim_keeper, keeper_epoch), update (claim_keeper, keeper_epoch) on guide to lotse_worker;
grant select (claim_version) on guide_assignment to lotse_worker;

-- What an assignment of this guide is before anybody was asked: without a coupling nobody need be; kept here, it is decided in its own
-- transaction; kept by a house he is coupled in, it waits for the answer; kept where no coupling leads, nobody can say.
create function claim_standing(p_guide uuid) returns text
language sql stable security definer set search_path = pg_catalog, public
as $$
  select case when count(c.id) = 0 then 'NOT_NEEDED'
              when g.claim_keeper = s.code then 'VERIFIED'
              when bool_or(l.partner_code = g.claim_keeper) then 'PENDING'
              else 'UNVERIFIED' end
  from public.guide g
  cross join public.settings s
  left join public.coupling c on c.guide_id = g.id and c.state = 'ACTIVE'
  left join public.link l on l.id = c.link_id
  where g.id = p_guide
  group by g.claim_keeper, s.code
$$;
revoke all on function claim_standing(uuid) from public;

-- The claim of this record goes to the keeper, if an active coupling leads there.
create function claim_put(p_guide uuid, p_record uuid) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform public.outbox_put(c.link_id, c.id, 'CLAIM', p_record)
  from public.guide g
  join public.coupling c on c.guide_id = g.id and c.state = 'ACTIVE'
  join public.link l on l.id = c.link_id and l.partner_code = g.claim_keeper
  where g.id = p_guide;
end
$$;
revoke all on function claim_put(uuid, uuid) from public;

-- What has become of a claim: into the own assignment, or to the house that holds it.
create function claim_tell(p_guide uuid, p_holder text, p_id uuid, p_state text) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  if p_holder = (select code from public.settings) then
    update public.guide_assignment set verification = case p_state when 'VERIFIED' then 'VERIFIED' else 'CONFLICT' end
    where id = p_id and ended_at is null;
    perform pg_notify('lotse_event', json_build_object('kind', 'verification', 'assignmentId', p_id)::text);
  else
    perform public.outbox_put(c.link_id, c.id, 'VERDICT', p_id)
    from public.coupling c join public.link l on l.id = c.link_id
    where c.guide_id = p_guide and c.state = 'ACTIVE' and l.partner_code = p_holder;
  end if;
end
$$;
revoke all on function claim_tell(uuid, text, uuid, text) from public;

create function claim_is_taken(p_guide uuid, p_holder text, p_id uuid, p_start timestamptz, p_end timestamptz) returns boolean
language sql volatile security definer set search_path = pg_catalog, public
as $$
  select exists (
    select 1 from public.claim o
    where o.guide_id = p_guide and o.state = 'VERIFIED' and (o.holder, o.id) <> (p_holder, p_id)
      and tstzrange(o.start_at, o.end_at) && tstzrange(p_start, p_end))
$$;
revoke all on function claim_is_taken(uuid, text, uuid, timestamptz, timestamptz) from public;

-- Time was given back: who asked first and now fits gets it. Callers hold the guide's row lock.
create function claims_promote(p_guide uuid) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  waiting record;
begin
  for waiting in
    select holder, id, start_at, end_at from public.claim
    where guide_id = p_guide and state = 'CONFLICT' order by claimed_at, holder, id
  loop
    continue when public.claim_is_taken(p_guide, waiting.holder, waiting.id, waiting.start_at, waiting.end_at);
    update public.claim set state = 'VERIFIED' where holder = waiting.holder and id = waiting.id;
    perform public.claim_tell(p_guide, waiting.holder, waiting.id, 'VERIFIED');
  end loop;
end
$$;
revoke all on function claims_promote(uuid) from public;

-- What a holder says of one of his claims, at the keeper. The newest (incarnation, version) stands, whatever came in which order:
-- a move is one update, which gives the old interval up whether or not the new one is free; an end releases and leaves a tombstone.
-- The same word said again is answered as before, but one in conflict is tried again. Callers hold the guide's row lock.
create function claim_apply(p_guide uuid, p_holder text, p_id uuid, p_incarnation int, p_version int, p_start timestamptz, p_end timestamptz, p_now timestamptz,
                            out verdict text, out known_version int)
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  known public.claim%rowtype;
begin
  select * into known from public.claim c where c.holder = p_holder and c.id = p_id;
  known_version := known.version;
  if found then
    if known.guide_id <> p_guide then
      verdict := 'NOT_YOURS';
      return;
    elsif (p_incarnation, p_version) < (known.incarnation, known.version) then
      verdict := case when p_incarnation = known.incarnation then 'STALE' else 'FORGOTTEN' end;
      return;
    elsif (p_incarnation, p_version) = (known.incarnation, known.version) and known.state <> 'CONFLICT' then
      verdict := known.state;
      return;
    end if;
  end if;
  verdict := case
    when p_start is null then 'RELEASED'
    when known.state = 'DISPUTED' or exists (
      select 1 from public.foreign_booking f join public.link l on l.id = f.link_id
      where f.guide_id = p_guide and f.id = p_id and l.partner_code = p_holder and f.disputed_at is not null) then 'DISPUTED'
    when public.claim_is_taken(p_guide, p_holder, p_id, p_start, p_end) then 'CONFLICT'
    else 'VERIFIED' end;
  insert into public.claim as c (holder, id, guide_id, incarnation, version, start_at, end_at, state, claimed_at, changed_at)
  values (p_holder, p_id, p_guide, p_incarnation, p_version, p_start, p_end, verdict, p_now, p_now)
  on conflict (holder, id) do update
    set incarnation = p_incarnation, version = p_version, start_at = p_start, end_at = p_end, state = verdict, changed_at = p_now,
        -- Who moves stands in line anew.
        claimed_at = case when (c.start_at, c.end_at) is not distinct from (p_start, p_end) then c.claimed_at else p_now end;
  if known.state = 'VERIFIED' then
    perform public.claims_promote(p_guide);
  end if;
end
$$;
revoke all on function claim_apply(uuid, text, uuid, int, int, timestamptz, timestamptz, timestamptz) from public;
grant execute on function claim_apply(uuid, text, uuid, int, int, timestamptz, timestamptz, timestamptz) to lotse_worker;

-- Own assignments stand anew: he was coupled, or uncoupled, or another house keeps his claims now. Callers hold the guide's row lock.
-- Those whose end has passed are history and stay as they are.
create function claims_refresh(p_guide uuid, p_now timestamptz, p_all boolean) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_standing text := public.claim_standing(p_guide);
  v_own text := (select code from public.settings);
  v_incarnation int := (select incarnation from public.sync_state);
  v_verdict text;
  assignment record;
begin
  if v_standing = 'NOT_NEEDED' then
    delete from public.claim where guide_id = p_guide;
  end if;
  for assignment in
    select a.id, a.start_at, a.end_at, a.claim_version, a.verification from public.guide_assignment a
    where a.guide_id = p_guide and a.ended_at is null and a.end_at > p_now
      and (p_all or a.verification in ('NOT_NEEDED', 'UNVERIFIED'))
    order by a.start_at, a.id
  loop
    if v_standing = 'VERIFIED' then
      select verdict into v_verdict
      from public.claim_apply(p_guide, v_own, assignment.id, v_incarnation, assignment.claim_version, assignment.start_at, assignment.end_at, p_now);
      update public.guide_assignment set verification = v_verdict where id = assignment.id and verification <> v_verdict;
    else
      update public.guide_assignment set verification = v_standing where id = assignment.id and verification <> v_standing;
      if v_standing = 'PENDING' then
        perform public.claim_put(p_guide, assignment.id);
      end if;
    end if;
  end loop;
  -- What has ended while another house kept the claims may still be held, if its release had not been heard before that house left.
  if p_all and v_standing = 'PENDING' then
    perform public.claim_put(p_guide, a.id) from public.guide_assignment a
    where a.guide_id = p_guide and a.ended_at is not null and a.end_at > p_now and a.verification <> 'NOT_NEEDED' order by a.id;
  end if;
end
$$;
revoke all on function claims_refresh(uuid, timestamptz, boolean) from public;

-- Another house keeps the claims, or this one does from now on; every house he is coupled in hears of it. Claims of others that are
-- still here wait to be handed over. Callers hold the guide's row lock.
create function claim_keeper_set(p_guide uuid, p_keeper text, p_epoch int, p_now timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  -- One that was only supposed (epoch 0) counts as none.
  v_before text := (select claim_keeper from public.guide where id = p_guide and keeper_epoch > 0);
begin
  update public.guide set claim_keeper = p_keeper, keeper_epoch = p_epoch where id = p_guide;
  if v_before is distinct from p_keeper then
    if p_keeper = (select code from public.settings) then
      -- Left over from an earlier time as keeper; who holds them has gone on elsewhere since.
      delete from public.claim where guide_id = p_guide;
    end if;
    perform public.claims_refresh(p_guide, p_now, true);
  end if;
  perform public.outbox_put(c.link_id, c.id, 'KEEPER', c.id)
  from public.coupling c where c.guide_id = p_guide and c.state = 'ACTIVE' order by c.id;
end
$$;
revoke all on function claim_keeper_set(uuid, text, int, timestamptz) from public;
grant execute on function claim_keeper_set(uuid, text, int, timestamptz) to lotse_worker;

-- Whoever assigns, moves or ends, by whatever path. Refused where he is taken abroad, as far as it is known here; the guide himself
-- can dispute what is not his. Callers hold the guide's row lock, as does whoever applies what a partner sends.
create function assignment_verification() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  if tg_op = 'UPDATE' then
    new.claim_version := old.claim_version + 1;
  end if;
  if new.ended_at is null then
    if exists (select 1 from public.foreign_booking f
               where f.guide_id = new.guide_id and not f.ended and f.disputed_at is null and f.start_at < new.end_at and f.end_at > new.start_at) then
      raise exception 'taken at that time' using errcode = 'exclusion_violation', constraint = 'guide_assignment_no_foreign_overlap';
    end if;
    new.verification := public.claim_standing(new.guide_id);
  end if;
  return new;
end
$$;
revoke all on function assignment_verification() from public;
create trigger assignment_verification_insert before insert on guide_assignment for each row execute function assignment_verification();
create trigger assignment_verification_update before update on guide_assignment for each row
  when (old.start_at <> new.start_at or old.end_at <> new.end_at or old.ended_at is distinct from new.ended_at)
  execute function assignment_verification();

create function assignment_to_claim() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_standing text := case when new.ended_at is null then new.verification else public.claim_standing(new.guide_id) end;
begin
  if v_standing = 'VERIFIED' then
    if new.ended_at is not null then
      delete from public.claim c using public.settings s where c.holder = s.code and c.id = new.id;
    else
      insert into public.claim as c (holder, id, guide_id, incarnation, version, start_at, end_at, state, claimed_at, changed_at)
      select s.code, new.id, new.guide_id, y.incarnation, new.claim_version, new.start_at, new.end_at, 'VERIFIED', clock_timestamp(), clock_timestamp()
      from public.settings s cross join public.sync_state y
      on conflict (holder, id) do update
        set incarnation = excluded.incarnation, version = excluded.version, start_at = excluded.start_at, end_at = excluded.end_at,
            state = 'VERIFIED', claimed_at = excluded.claimed_at, changed_at = excluded.changed_at;
    end if;
    if tg_op = 'UPDATE' then
      perform public.claims_promote(new.guide_id);
    end if;
  elsif v_standing = 'PENDING' then
    perform public.claim_put(new.guide_id, new.id);
  end if;
  return null;
end
$$;
revoke all on function assignment_to_claim() from public;
create trigger assignment_to_claim_insert after insert on guide_assignment for each row
  when (new.verification <> 'NOT_NEEDED') execute function assignment_to_claim();
create trigger assignment_to_claim_update after update on guide_assignment for each row
  when ((old.start_at <> new.start_at or old.end_at <> new.end_at or old.ended_at is distinct from new.ended_at) and new.verification <> 'NOT_NEEDED')
  execute function assignment_to_claim();

-- A coupling begins or ends, by whatever path. The house that asked for the first coupling minted the global id, so it keeps the claims.
create function coupling_to_claims() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_own text := (select code from public.settings);
  v_partner text := (select partner_code from public.link where id = new.link_id);
  v_keeper text;
begin
  if new.state = 'ACTIVE' then
    update public.guide set claim_keeper = case when new.requested_here then v_own else v_partner end, keeper_epoch = 1
    where id = new.guide_id and claim_keeper is null;
    perform public.claims_refresh(new.guide_id, new.updated_at, false);
    return null;
  end if;
  delete from public.assignment_dispute where coupling_id = new.id;
  select claim_keeper into v_keeper from public.guide where id = new.guide_id;
  -- Kept elsewhere from now on, they wait to be handed over.
  delete from public.claim where guide_id = new.guide_id and holder = v_partner and v_keeper = v_own;
  if not exists (select 1 from public.coupling where guide_id = new.guide_id and state = 'ACTIVE') then
    -- Nobody is left whom this house could ask: it keeps its own.
    update public.guide set claim_keeper = v_own, keeper_epoch = keeper_epoch + 1 where id = new.guide_id;
    perform public.claims_refresh(new.guide_id, new.updated_at, true);
  elsif v_keeper = v_partner then
    perform public.claims_refresh(new.guide_id, new.updated_at, true);
  elsif v_keeper = v_own then
    perform public.claims_promote(new.guide_id);
  end if;
  return null;
end
$$;
revoke all on function coupling_to_claims() from public;
create trigger claims_of_coupling_insert after insert on coupling for each row
  when (new.state = 'ACTIVE') execute function coupling_to_claims();
create trigger claims_of_coupling_update after update on coupling for each row
  when (old.state <> new.state and 'ACTIVE' in (old.state, new.state)) execute function coupling_to_claims();

-- An end that came as a foreign booking releases the claim of the same assignment: its id is never used again.
create function foreign_booking_to_claim() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  update public.claim c set state = 'RELEASED', changed_at = coalesce(new.ended_at, c.changed_at)
  from public.link l
  where l.id = new.link_id and c.holder = l.partner_code and c.id = new.id and c.guide_id = new.guide_id
    and c.state <> 'RELEASED' and c.incarnation <= new.incarnation;
  if found then
    perform public.claims_promote(new.guide_id);
  end if;
  return null;
end
$$;
revoke all on function foreign_booking_to_claim() from public;
create trigger foreign_booking_to_claim after update on foreign_booking for each row
  when (new.ended and not old.ended) execute function foreign_booking_to_claim();

-- The guide says that a claim held here is none of his, or takes that back. Callers hold the guide's row lock.
create function claim_dispute(p_guide uuid, p_holder text, p_id uuid, p_disputed boolean) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  update public.claim set state = case when p_disputed then 'DISPUTED' else 'CONFLICT' end
  where guide_id = p_guide and holder = p_holder and id = p_id
    and state = any (case when p_disputed then array['VERIFIED', 'CONFLICT'] else array['DISPUTED'] end);
  if found then
    perform public.claim_tell(p_guide, p_holder, p_id, 'DISPUTED');
    perform public.claims_promote(p_guide);
  end if;
end
$$;
revoke all on function claim_dispute(uuid, text, uuid, boolean) from public;
grant execute on function claim_dispute(uuid, text, uuid, boolean) to lotse_worker;

-- Kept here, but other houses may have claims that this one has forgotten: the own assignment is claimed once they have told theirs.
-- Callers hold the guide's row lock.
create function claim_put_off(p_assignment uuid) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  delete from public.claim c using public.settings s where c.holder = s.code and c.id = p_assignment;
  update public.guide_assignment set verification = 'UNVERIFIED' where id = p_assignment and ended_at is null;
end
$$;
revoke all on function claim_put_off(uuid) from public;
grant execute on function claim_put_off(uuid) to lotse_app;

-- An own assignment is claimed again, by staff, who see it pending then. Callers hold the guide's row lock.
create function claim_again(p_assignment uuid) returns text
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_assignment record;
  v_standing text;
begin
  select a.guide_id, a.verification into v_assignment from public.guide_assignment a where a.id = p_assignment and a.ended_at is null;
  v_standing := public.claim_standing(v_assignment.guide_id);
  if v_standing = 'VERIFIED' then
    perform public.claims_promote(v_assignment.guide_id);
  elsif v_standing = 'PENDING' then
    update public.guide_assignment set verification = 'PENDING' where id = p_assignment;
    perform public.claim_put(v_assignment.guide_id, p_assignment);
  end if;
  return (select verification from public.guide_assignment where id = p_assignment);
end
$$;
revoke all on function claim_again(uuid) from public;
grant execute on function claim_again(uuid) to lotse_app;

-- The keeper knows a later version of a claim than its holder, whose transaction was undone after it had been claimed: what stands
-- here is said again as the newest.
create function claim_outrun(p_assignment uuid, p_version int) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  update public.guide_assignment set claim_version = p_version + 1
  where id = p_assignment and claim_version <= p_version and p_version < 2100000000;
  if found then
    perform public.claim_put(a.guide_id, a.id) from public.guide_assignment a where a.id = p_assignment;
  end if;
end
$$;
revoke all on function claim_outrun(uuid, int) from public;
grant execute on function claim_outrun(uuid, int) to lotse_worker;

-- Own assignments that stand against something abroad, for staff: their own and the times, merged, and nothing of the other side.
create function guide_conflicts(p_now timestamptz, p_guide uuid, p_after_start timestamptz, p_after_id uuid, p_limit int)
returns table (id uuid, guide_id uuid, booking_id uuid, start_at timestamptz, end_at timestamptz, verification text, disputed boolean, overlaps jsonb)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select a.id, a.guide_id, a.booking_id, a.start_at, a.end_at, a.verification::text, d.disputed,
         coalesce((select jsonb_agg(jsonb_build_object('start', lower(r) at time zone 'UTC', 'end', upper(r) at time zone 'UTC') order by lower(r))
                   from unnest(o.times) r), '[]')
  from public.guide_assignment a
  join public.guide g on g.id = a.guide_id
  cross join public.settings s
  cross join lateral (select exists (select 1 from public.assignment_dispute x where x.assignment_id = a.id) as disputed) d
  cross join lateral (
    select range_agg(tstzrange(greatest(t.start_at, a.start_at), least(t.end_at, a.end_at))) as times
    from (
      select f.start_at, f.end_at from public.foreign_booking f
      where f.guide_id = a.guide_id and not f.ended and f.disputed_at is null and f.start_at < a.end_at and f.end_at > a.start_at
      union all
      select c.start_at, c.end_at from public.claim c
      where g.claim_keeper = s.code and c.guide_id = a.guide_id and c.holder <> s.code and c.state in ('VERIFIED', 'CONFLICT')
        and c.start_at < a.end_at and c.end_at > a.start_at
    ) t
  ) o
  where a.ended_at is null and a.end_at > p_now
    and a.guide_id in (select c.guide_id from public.coupling c where c.state = 'ACTIVE')
    and (p_guide is null or a.guide_id = p_guide)
    and (p_after_start is null or (a.start_at, a.id) > (p_after_start, p_after_id))
    and (o.times is not null or a.verification = 'CONFLICT' or d.disputed)
  order by a.start_at, a.id
  limit p_limit
$$;
revoke all on function guide_conflicts(timestamptz, uuid, timestamptz, uuid, int) from public;
grant execute on function guide_conflicts(timestamptz, uuid, timestamptz, uuid, int) to lotse_app;

-- What is said again when everything is said again: own claims to their keeper, who the keeper is, and what the guide disputes.
create function outbox_records_claim(p_coupling uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public
as $$
  select a.id
  from public.coupling c
  join public.link l on l.id = c.link_id
  join public.guide g on g.id = c.guide_id and g.claim_keeper = l.partner_code
  join public.guide_assignment a on a.guide_id = g.id
  where c.id = p_coupling and a.verification <> 'NOT_NEEDED' and (a.ended_at is null or a.ended_at >= coalesce(c.since, c.created_at))
$$;
revoke all on function outbox_records_claim(uuid) from public;
create function outbox_records_keeper(p_coupling uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public
as $$
  select p_coupling
$$;
revoke all on function outbox_records_keeper(uuid) from public;
create function outbox_records_dispute(p_coupling uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public
as $$
  select f.id from public.foreign_booking f where f.coupling_id = p_coupling and f.disputed_at is not null
$$;
revoke all on function outbox_records_dispute(uuid) from public;

-- Guides coupled before there were claims: the house that asked minted the id, where this house took part; others hear of it.
update guide g
set claim_keeper = case when c.requested_here then (select code from settings) else l.partner_code end, keeper_epoch = 1
from coupling c join link l on l.id = c.link_id
where c.guide_id = g.id and c.state = 'ACTIVE' and g.global_id = 'g_' || c.id;
update guide g
set claim_keeper = (select l.partner_code from coupling c join link l on l.id = c.link_id where c.guide_id = g.id and c.state = 'ACTIVE' order by c.since, c.id limit 1),
    keeper_epoch = 0
where g.claim_keeper is null and exists (select 1 from coupling c where c.guide_id = g.id and c.state = 'ACTIVE');
select claims_refresh(id, now(), true) from guide where claim_keeper is not null order by id;
