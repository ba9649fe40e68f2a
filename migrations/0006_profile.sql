-- Profiles and availability rules are changed in every house of a guide: the last writer wins, per field and per rule.

alter table "guide" add column "account_holder" varchar(140) null, add column "iban" varchar(34) null, add column "bic" varchar(11) null, add column "shares_bank_data" boolean not null default false;
create table "profile_stamp" ("guide_id" uuid not null, "field" varchar(16) not null, "stamp" varchar(64) not null, "lost_stamp" varchar(64) not null default '', primary key ("guide_id", "field"));
alter table "profile_stamp" add constraint "profile_stamp_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on delete cascade;
alter table "availability_rule" add column "lost_stamp" varchar(64) not null default '';

-- One account, or none.
alter table guide add constraint guide_bank_data_whole check ((iban is null) = (account_holder is null) and (bic is null or iban is not null));

grant update (account_holder, iban, bic, shares_bank_data) on guide to lotse_app;
grant select, insert, update on profile_stamp to lotse_app, lotse_worker;

-- A stamp is fifteen digits of milliseconds, eight of a counter and the code of the house that gave it; see platform/stamps.ts.
create function stamp_code(p_stamp text) returns text language sql immutable set search_path = pg_catalog
as $$ select substr(p_stamp, 26) $$;
revoke all on function stamp_code(text) from public;
grant execute on function stamp_code(text) to lotse_worker;
-- The same moment in another house's name, later than what that house itself can have given when it took the value over.
create function stamp_adopted(p_stamp text, p_code text) returns text language sql immutable set search_path = pg_catalog
as $$ select left(p_stamp, 15) || '-' || lpad((substr(p_stamp, 17, 8)::bigint + 1)::text, 8, '0') || '-' || p_code $$;
revoke all on function stamp_adopted(text, text) from public;

-- What of a guide may be shared at all. Bank data belong to it only where he says so.
create function profile_of(g guide) returns jsonb language sql immutable set search_path = pg_catalog
as $$
  select jsonb_build_object(
    'firstName', g.first_name, 'lastName', g.last_name, 'email', g.email, 'phone', g.phone, 'languages', to_jsonb(g.languages),
    'bankData', case when g.iban is not null then jsonb_build_object('accountHolder', g.account_holder, 'iban', g.iban, 'bic', g.bic) end)
$$;
revoke all on function profile_of(guide) from public;

-- The profiles of couplings over one link, as far as they may leave, with their stamps: read at one moment, for a value under the stamp of
-- another would stay at the receiver.
create function coupled_profiles(p_link uuid, p_couplings uuid[]) returns table (coupling_id uuid, profile jsonb, stamps jsonb)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select c.id, case when g.shares_bank_data then public.profile_of(g) else public.profile_of(g) - 'bankData' end,
    coalesce((select jsonb_object_agg(s.field, s.stamp) from public.profile_stamp s where s.guide_id = g.id), '{}')
  from public.coupling c
  join public.link l on l.id = c.link_id
  join public.guide g on g.id = c.guide_id
  where c.link_id = p_link and c.id = any (p_couplings) and c.state = 'ACTIVE' and l.state = 'ACTIVE'
$$;
revoke all on function coupled_profiles(uuid, uuid[]) from public;
grant execute on function coupled_profiles(uuid, uuid[]) to lotse_worker;

-- Bank data as the action log holds them: which account, and no means to use it.
create function profile_logged(p_field text, p_value jsonb) returns jsonb language sql immutable set search_path = pg_catalog
as $$
  select case when p_field = 'bankData' and jsonb_typeof(p_value) = 'object'
    then jsonb_build_object('iban', left(p_value ->> 'iban', 2) || '…' || right(p_value ->> 'iban', 4)) else p_value end
$$;
revoke all on function profile_logged(text, jsonb) from public;

-- Takes those of a coupled guide's values that win, [{field, value, wins}], and gives for each what stood here and what came, for the
-- action log. Whoever calls knows the stamps and holds the guide's row lock; nothing of the profile is read that did not come too.
create function merge_profile(p_coupling uuid, p_values jsonb) returns table (field text, held jsonb, came jsonb, differs boolean)
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_guide public.guide;
  v_before jsonb;
  v_changes jsonb;
  v_after jsonb;
begin
  select g.* into v_guide from public.guide g join public.coupling c on c.guide_id = g.id
  where c.id = p_coupling and c.state = 'ACTIVE' for no key update of g;
  if not found then return; end if;
  v_before := public.profile_of(v_guide);
  select jsonb_object_agg(v ->> 'field', v -> 'value') into v_changes
  from jsonb_array_elements(p_values) v
  where (v ->> 'wins')::boolean and v_before ? (v ->> 'field') and v -> 'value' is distinct from v_before -> (v ->> 'field');
  if v_changes is not null then
    v_after := v_before || v_changes;
    update public.guide g set
      first_name = v_after ->> 'firstName', last_name = v_after ->> 'lastName', email = v_after ->> 'email', phone = v_after ->> 'phone',
      languages = array(select jsonb_array_elements_text(v_after -> 'languages')),
      account_holder = v_after -> 'bankData' ->> 'accountHolder', iban = v_after -> 'bankData' ->> 'iban', bic = v_after -> 'bankData' ->> 'bic',
      version = g.version + 1
    where g.id = v_guide.id;
  end if;
  return query
    select v ->> 'field', public.profile_logged(v ->> 'field', v_before -> (v ->> 'field')), public.profile_logged(v ->> 'field', v -> 'value'),
           v -> 'value' is distinct from v_before -> (v ->> 'field')
    from jsonb_array_elements(p_values) with ordinality as given (v, n) order by n;
end
$$;
revoke all on function merge_profile(uuid, jsonb) from public;
grant execute on function merge_profile(uuid, jsonb) to lotse_worker;

-- What a house says itself goes to every house its guide is coupled in; what it received carries another's code and goes nowhere.
create function profile_to_outbox(p_guide uuid) returns void
language sql security definer set search_path = pg_catalog, public
as $$
  select public.outbox_put(c.link_id, c.id, 'PROFILE', c.id) from public.coupling c where c.guide_id = p_guide and c.state = 'ACTIVE' order by c.id
$$;
revoke all on function profile_to_outbox(uuid) from public;

create function profile_stamp_to_outbox() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  if public.stamp_code(new.stamp) = (select s.code from public.settings s) then perform public.profile_to_outbox(new.guide_id); end if;
  return null;
end
$$;
revoke all on function profile_stamp_to_outbox() from public;
create trigger profile_stamp_to_outbox_insert after insert on profile_stamp for each row execute function profile_stamp_to_outbox();
create trigger profile_stamp_to_outbox_update after update on profile_stamp for each row
  when (old.stamp is distinct from new.stamp) execute function profile_stamp_to_outbox();

create function shared_bank_data_to_outbox() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  perform public.profile_to_outbox(new.id);
  return null;
end
$$;
revoke all on function shared_bank_data_to_outbox() from public;
create trigger shared_bank_data_to_outbox after update on guide for each row
  when (new.shares_bank_data and not old.shares_bank_data) execute function shared_bank_data_to_outbox();

create function rule_to_outbox() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_own text := (select s.code from public.settings s);
begin
  if (public.stamp_code(new.stamp) = v_own and (tg_op = 'INSERT' or new.stamp is distinct from old.stamp))
    or (public.stamp_code(new.holidays_stamp) = v_own and (tg_op = 'INSERT' or new.holidays_stamp is distinct from old.holidays_stamp)) then
    perform public.outbox_put(c.link_id, c.id, 'RULE', new.id)
    from public.coupling c where c.guide_id = new.guide_id and c.state = 'ACTIVE' order by c.id;
  end if;
  return null;
end
$$;
revoke all on function rule_to_outbox() from public;
create trigger rule_to_outbox after insert or update on availability_rule for each row execute function rule_to_outbox();

-- First transfer, full transfer: see outbox_fill_coupling.
create function outbox_records_profile(p_coupling uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public
as $$ select c.id from public.coupling c where c.id = p_coupling and c.guide_id is not null $$;
revoke all on function outbox_records_profile(uuid) from public;
create function outbox_records_rule(p_coupling uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public
as $$
  select r.id from public.coupling c
  join public.link l on l.id = c.link_id
  join public.availability_rule r on r.guide_id = c.guide_id
  cross join public.settings s
  where c.id = p_coupling
    and (public.stamp_code(r.stamp) in (s.code, l.partner_code) or public.stamp_code(r.holidays_stamp) in (s.code, l.partner_code))
$$;
revoke all on function outbox_records_rule(uuid) from public;

-- What a partner or this house changed in rules that were made in one of these houses: told to him again. He has lost it where he was not
-- coupled there for a while, and the others have it still.
create function give_back_rules(p_coupling uuid, p_origins text[]) returns void
language sql security definer set search_path = pg_catalog, public
as $$
  select public.outbox_put(c.link_id, c.id, 'RULE', r.id)
  from public.coupling c
  join public.link l on l.id = c.link_id
  join public.availability_rule r on r.guide_id = c.guide_id
  cross join public.settings s
  where c.id = p_coupling and c.state = 'ACTIVE' and public.stamp_code(r.stamp) in (l.partner_code, s.code)
    and r.origin not in (l.partner_code, s.code) and r.origin = any (p_origins)
    and not exists (select 1 from public.outbox o where o.coupling_id = c.id and o.kind = 'RULE' and o.record_id = r.id)
  order by r.id
$$;
revoke all on function give_back_rules(uuid, text[]) from public;
grant execute on function give_back_rules(uuid, text[]) to lotse_worker;

-- Makes values of other houses this house's own statement, at the moment they were made: those given by p_code, or by anybody but this
-- house and p_partner. The clock is moved on with them, so that no later change gets the same stamp.
create function adopt_values(p_guide uuid, p_code text, p_partner text) returns void
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_own text := (select s.code from public.settings s);
begin
  update public.profile_stamp p set stamp = public.stamp_adopted(p.stamp, v_own)
  where p.guide_id = p_guide and p.stamp <> '' and public.stamp_code(p.stamp) <> v_own
    and (public.stamp_code(p.stamp) = p_code or (p_code is null and public.stamp_code(p.stamp) <> p_partner));
  update public.availability_rule r set stamp = public.stamp_adopted(r.stamp, v_own)
  where r.guide_id = p_guide and r.stamp <> '' and public.stamp_code(r.stamp) <> v_own
    and ((public.stamp_code(r.stamp) = p_code and r.origin <> p_code)
      or (p_code is null and r.origin = v_own and public.stamp_code(r.stamp) <> p_partner));
  update public.sync_state y set last_stamp = greatest(y.last_stamp collate "C",
    (select max(p.stamp collate "C") from public.profile_stamp p where p.guide_id = p_guide),
    (select max(r.stamp collate "C") from public.availability_rule r where r.guide_id = p_guide))
  where y.id = 1;
end
$$;
revoke all on function adopt_values(uuid, text, text) from public;

-- Whoever couples a guide vouches for his profile as it stands, whoever changed it last. What was never changed counts as said when he
-- was entered here; what was entered for this coupling only repeats the partner and counts as said before everything else.
create function coupling_vouches() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_own text := (select s.code from public.settings s);
begin
  insert into public.profile_stamp (guide_id, field, stamp)
  select g.id, f.key,
    case when not new.requested_here and g.created_at >= new.created_at then repeat('0', 15)
         else lpad(floor(extract(epoch from g.created_at) * 1000)::bigint::text, 15, '0') end || '-00000000-' || v_own
  from public.guide g cross join lateral jsonb_each(public.profile_of(g)) f
  where g.id = new.guide_id and f.value not in ('null'::jsonb, '[]'::jsonb)
  on conflict (guide_id, field) do nothing;
  perform public.adopt_values(new.guide_id, null, l.partner_code) from public.link l where l.id = new.link_id;
  -- The others hear where he is coupled now, and give back what this house changed there before; see give_back_rules.
  perform public.outbox_put(c.link_id, c.id, 'COUPLING', c.id)
  from public.coupling c where c.guide_id = new.guide_id and c.state = 'ACTIVE' and c.id <> new.id order by c.id;
  return null;
end
$$;
revoke all on function coupling_vouches() from public;
create trigger coupling_vouches_insert after insert on coupling for each row
  when (new.state = 'ACTIVE' and new.guide_id is not null) execute function coupling_vouches();
create trigger coupling_vouches_update after update on coupling for each row
  when (new.state = 'ACTIVE' and old.state <> 'ACTIVE' and new.guide_id is not null) execute function coupling_vouches();

-- When a coupling ends, the rules made there go. Profile values stay, and what the partner changed in other rules: from then on they are
-- this house's.
create function coupling_leaves() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  delete from public.availability_rule r using public.link l where r.guide_id = old.guide_id and l.id = new.link_id and r.origin = l.partner_code;
  perform public.adopt_values(old.guide_id, l.partner_code, null) from public.link l where l.id = new.link_id;
  return null;
end
$$;
revoke all on function coupling_leaves() from public;
create trigger coupling_leaves after update on coupling for each row
  when (old.state = 'ACTIVE' and new.state <> 'ACTIVE' and old.guide_id is not null) execute function coupling_leaves();
