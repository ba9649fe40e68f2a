-- The life of couplings and links: pauses, ends that are told reliably, keys that change without a break.

-- What the partner's side said last, by its incarnation and version: what comes late does not undo what is newer.
alter table "coupling" add column "partner_incarnation" int not null default 0, add column "partner_version" int not null default 0;
-- While it is set, the partner has not heard yet that the link ended here.
alter table "link" add column "end_notice_at" timestamptz(3) null, add column "end_notice_attempts" int not null default 0;
-- Ours: since when we sign with it. The partner's: since when he has signed with it.
alter table "link_key" add column "in_use_since" timestamptz(3) null;
update link_key set in_use_since = created_at;

-- What a partner must hear of a coupling waits for him like any change: a pause, the guide's consent, the end.
create function coupling_state_to_outbox() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  -- The end of a link tells the end of its couplings.
  perform public.outbox_put(new.link_id, new.id, 'COUPLING', new.id) from public.link l where l.id = new.link_id and l.state <> 'ENDED';
  return null;
end
$$;
revoke all on function coupling_state_to_outbox() from public;
create trigger coupling_state_to_outbox after update on coupling for each row
  when (old.paused_here is distinct from new.paused_here or old.confirmed_here is distinct from new.confirmed_here
    or (old.state not in ('DECLINED', 'ENDED') and new.state in ('DECLINED', 'ENDED')))
  execute function coupling_state_to_outbox();

-- The partner is to hear how a coupling stands here, which is ended where nothing of it is kept: at once, or from then on. So a request
-- that is written down before he is asked does not stay with him when its answer is lost. Gives NEW, KNOWN where that waited already, and
-- CLOSED where the link has ended; it does not end before the caller's transaction has.
create function coupling_to_tell(p_link uuid, p_coupling uuid, p_from timestamptz) returns text
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  v_result text := 'CLOSED';
begin
  insert into public.outbox as o (coupling_id, kind, record_id, link_id, seq, waiting_since, retry_at)
  select p_coupling, 'COUPLING', p_coupling, l.id, nextval('public.outbox_seq'), clock_timestamp(), p_from
  from public.link l where l.id = p_link and l.state <> 'ENDED' for share of l
  on conflict (coupling_id, kind, record_id) do update set seq = excluded.seq, attempts = 0, refused_code = null, retry_at = excluded.retry_at
  returning case when o.xmax = 0 then 'NEW' else 'KNOWN' end into v_result;
  if found and p_from is null then
    perform pg_notify('lotse_event', json_build_object('kind', 'outbox', 'linkId', p_link)::text);
  end if;
  return coalesce(v_result, 'CLOSED');
end
$$;
revoke all on function coupling_to_tell(uuid, uuid, timestamptz) from public;
grant execute on function coupling_to_tell(uuid, uuid, timestamptz) to lotse_app;

-- He has said no, and never heard of it before: there is nothing to tell.
create function coupling_not_to_tell(p_coupling uuid) returns void
language sql security definer set search_path = pg_catalog, public
as $$
  delete from public.outbox o where o.coupling_id = p_coupling and o.kind = 'COUPLING' and not exists (select 1 from public.coupling c where c.id = p_coupling)
$$;
revoke all on function coupling_not_to_tell(uuid) from public;
grant execute on function coupling_not_to_tell(uuid) to lotse_app;

-- What was remembered only so that a late request finds it over: nothing can be as late as this.
create function forget_buried_couplings(p_before timestamptz) returns void
language sql security definer set search_path = pg_catalog, public
as $$
  delete from public.coupling where state = 'DECLINED' and not requested_here and guide_id is null and version = 1 and updated_at < p_before
$$;
revoke all on function forget_buried_couplings(timestamptz) from public;
grant execute on function forget_buried_couplings(timestamptz) to lotse_worker;

-- A partner who is told of everything hears of the coupling itself too; see outbox_fill_coupling.
create function outbox_records_coupling(p_coupling uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public
as $$
  select p_coupling
$$;
revoke all on function outbox_records_coupling(uuid) from public;

-- Whoever ends a coupling, by whatever path: what was received over it goes, what waited for it waits no more. The guide's sockets hear of each entry that goes. Callers hold the guide's row lock, as does whoever applies what a partner sends.
create function coupling_purge() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
declare
  gone record;
begin
  delete from public.outbox o
  where o.coupling_id = new.id and (o.kind <> 'COUPLING' or exists (select 1 from public.link l where l.id = new.link_id and l.state = 'ENDED'));
  for gone in delete from public.foreign_booking f where f.coupling_id = new.id returning f.guide_id, f.id, f.ended loop
    continue when gone.ended;
    perform pg_notify('lotse_event', json_build_object('kind', 'foreign', 'guideId', gone.guide_id, 'foreignId', gone.id, 'change', 'REMOVED')::text);
  end loop;
  return null;
end
$$;
revoke all on function coupling_purge() from public;
create trigger coupling_purge after update on coupling for each row
  when (old.state not in ('DECLINED', 'ENDED') and new.state in ('DECLINED', 'ENDED'))
  execute function coupling_purge();

-- Nothing waits for a link that has ended; its end is told by the link's own notice.
create function link_purge() returns trigger
language plpgsql security definer set search_path = pg_catalog, public
as $$
begin
  delete from public.outbox o where o.link_id = new.id;
  return null;
end
$$;
revoke all on function link_purge() from public;
-- At the end, when the guides of its couplings are locked: whoever holds one of them may be about to put another row.
create constraint trigger link_purge after update on link deferrable initially deferred for each row
  when (old.state is distinct from new.state and new.state = 'ENDED')
  execute function link_purge();

-- How the exchange over links is going, for everybody who sees a coupling: one word, from the last sign of life alone, never from a
-- record. When and what was exchanged stays out of reach.
create function link_health(p_links uuid[], p_now timestamptz)
returns table (link_id uuid, health text)
language sql stable security definer set search_path = pg_catalog, public
as $$
  select l.id,
         case when l.suspended_here or l.suspended_there then 'SUSPENDED'
              when p.last_contact_at > p_now - interval '60 seconds' then 'LIVE'
              when coalesce(p.last_contact_at, l.updated_at) > p_now - interval '10 minutes' then 'DELAYED'
              else 'UNREACHABLE' end
  from public.link l
  left join public.sync_peer p on p.link_id = l.id
  where l.id = any (p_links)
$$;
revoke all on function link_health(uuid[], timestamptz) from public;
grant execute on function link_health(uuid[], timestamptz) to lotse_app;
