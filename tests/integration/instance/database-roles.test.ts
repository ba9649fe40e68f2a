import { Client } from 'pg';
import type { RuntimeRole } from '../../../instance-server/platform/database/roles.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { createInstance, type TestInstance } from '../../testkit/instance.js';
import { Records } from '../../testkit/records.js';
import { at } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

const ROLES = ['app', 'guide', 'partner', 'worker'] as const;

let instance: TestInstance;
let records: Records;
let connections: Record<RuntimeRole | 'owner', Client>;
let guideId: string;
let assignmentId: string;

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return cleanup.own(client, (opened) => opened.end());
}

beforeAll(async () => {
  instance = cleanup.own(await createInstance({ code: 'vault' }), (made) => made.drop());
  records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  guideId = await records.guide({ email: 'guide@vault.example', phone: '+49 1' });
  assignmentId = (await records.booking(await records.offer(), at(0), { guideIds: [guideId] })).assignmentIds[0] ?? '';
  connections = {
    app: await connect(instance.roleUrl('app')),
    guide: await connect(instance.roleUrl('guide')),
    partner: await connect(instance.roleUrl('partner')),
    worker: await connect(instance.roleUrl('worker')),
    owner: await connect(instance.roleUrl('owner')),
  };
});

/** `allowed`, or PostgreSQL's code of the refusal. What is tried is undone. */
async function attempt(role: RuntimeRole, statement: string): Promise<string> {
  const client = connections[role];
  await client.query('begin');
  try {
    await client.query(statement);
    return 'allowed';
  } catch (error) {
    return String((error as { code?: unknown }).code);
  } finally {
    await client.query('rollback');
  }
}
const DENIED = '42501';

/** S, I, U and D: what a role may do with whole tables; nothing where it is not named. */
const TABLES: Record<string, Partial<Record<RuntimeRole, string>>> = {
  absence: { app: 'SIUD' },
  account: { app: 'SIU', worker: 'I' },
  account_role: { app: 'SIUD', worker: 'SI' },
  audit_entry: { app: 'SI', worker: 'I' },
  availability_rule: { app: 'SIU', worker: 'SIUD' },
  assignment_dispute: { worker: 'SIUD' },
  booking: { app: 'SIUD' },
  claim: { worker: 'SIUD' },
  coupling: { app: 'SI', worker: 'SIUD' },
  customer: { app: 'SIUD' },
  guide: { app: 'SI' },
  guide_alias: { app: 'S', worker: 'SI' },
  foreign_booking: { worker: 'SIUD' },
  guide_assignment: { app: 'SIUD' },
  guide_limits: { app: 'SIU' },
  guide_offer: { app: 'SIUD' },
  guide_request: { app: 'SIU' },
  holiday: { app: 'SIUD' },
  idempotency_key: { app: 'SIUD', worker: 'SIUD' },
  individual_availability: { app: 'SIUD' },
  invitation: { app: 'SIUD', worker: 'SIUD' },
  link: { app: 'S', worker: 'SIUD' },
  link_key: { worker: 'SIUD' },
  login_attempt: { app: 'SIUD', worker: 'SIUD' },
  lost_booking: { worker: 'SIUD' },
  mikro_orm_migrations: {},
  offer: { app: 'SIUD' },
  outbox: { worker: 'SIUD' },
  partner_assignment: { partner: 'S', worker: 'S' },
  profile_stamp: { app: 'SIU', worker: 'SIU' },
  refresh_token: { app: 'SIUD', worker: 'SD' },
  session: { app: 'SIUD', worker: 'SIUD' },
  session_subscription: { app: 'SIUD' },
  settings: { app: 'S', worker: 'SIUD' },
  signing_key: { worker: 'SIUD' },
  sync_peer: { worker: 'SIUD' },
  sync_state: { app: 'S', worker: 'SU' },
  used_token: { worker: 'SIUD' },
};

test('each role has these rights on tables and views and no other', async () => {
  const rows = await records.query<{ name: string; role: RuntimeRole; rights: string }>(
    `select c.relname as name, r.role,
       concat(case when has_table_privilege(r.login, c.oid, 'select') then 'S' end, case when has_table_privilege(r.login, c.oid, 'insert') then 'I' end,
              case when has_table_privilege(r.login, c.oid, 'update') then 'U' end, case when has_table_privilege(r.login, c.oid, 'delete') then 'D' end,
              case when has_table_privilege(r.login, c.oid, 'truncate, references, trigger, maintain') then '!' end) as rights
     from pg_class c cross join (select role, $1 || '_' || role as login from unnest($2::text[]) role) r
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p', 'f')`,
    [instance.database, ROLES],
  );
  const found: typeof TABLES = {};
  for (const { name, role, rights } of rows) found[name] = { ...found[name], ...(rights && { [role]: rights }) };
  expect(found).toEqual(TABLES);
});

test('of single columns: the worker moves identities and reads addresses but no password, the house keeps profiles, and nothing else', async () => {
  const rows = await records.query<{ role: string; name: string; right: string }>(
    `select r.role, c.relname || '.' || a.attname as name, p.right
     from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
     cross join unnest($2::text[]) as r(role) cross join unnest(array['select', 'insert', 'update']) as p("right")
     where a.attnum > 0 and not a.attisdropped
       and has_column_privilege($1 || '_' || r.role, c.oid, a.attname, p.right) and not has_table_privilege($1 || '_' || r.role, c.oid, p.right)
`,
    [instance.database, ROLES],
  );
  expect(rows.map(({ role, name, right }) => `${role} ${right} ${name}`).toSorted()).toEqual(
    [
      ...['id', 'global_id', 'global_id_minted_at', 'claim_keeper', 'keeper_epoch', 'first_name', 'last_name', 'active', 'version'].map((column) => `worker select guide.${column}`),
      ...['global_id', 'global_id_minted_at', 'claim_keeper', 'keeper_epoch'].map((column) => `worker update guide.${column}`),
      ...['id', 'email', 'display_name', 'state', 'guide_id', 'version'].map((column) => `worker select account.${column}`),
      ...['email', 'display_name', 'version'].map((column) => `worker update account.${column}`),
      ...['first_name', 'last_name', 'email', 'phone', 'languages', 'account_holder', 'iban', 'bic', 'shares_bank_data', 'active', 'version'].map((column) => `app update guide.${column}`),
      ...['guide_id', 'state', 'requested_name', 'updated_at', 'version', 'paused_here'].map((column) => `app update coupling.${column}`),
      ...['id', 'guide_id', 'start_at', 'end_at', 'ended_at', 'kind', 'verification', 'claim_version', 'version', 'created_at'].map((column) => `worker select guide_assignment.${column}`),
      ...['id', 'guide_id', 'start_at', 'end_at', 'offer_title', 'kind', 'found_at', 'released_at'].map((column) => `app select lost_booking.${column}`),
      'app update sync_state.last_stamp',
      'worker update guide_assignment.verification',
    ].toSorted(),
  );
});

test('each role may call these functions and no other of ours', async () => {
  const rows = await records.query<{ name: string; roles: string[]; everybody: boolean }>(
    `select p.proname as name, has_function_privilege('public', p.oid, 'execute') as everybody,
       array(select role from unnest($2::text[]) role where has_function_privilege($1 || '_' || role, p.oid, 'execute') order by role) as roles
     from pg_proc p where p.pronamespace = 'public'::regnamespace
       and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by p.proname`,
    [instance.database, ROLES],
  );
  expect(Object.fromEntries(rows.map(({ name, roles }) => [name, roles]))).toEqual({
    adopt_values: [],
    assignment_to_claim: [],
    assignment_to_outbox: [],
    block_title_to_assignments: [],
    assignment_verification: [],
    booking_to_requests: [],
    request_withdrawal_logged: [],
    request_told: [],
    calendar_entry: ['app', 'guide'],
    calendar_of_guide: ['guide'],
    calendar_of_guides: ['app'],
    coupling_to_lost_bookings: [],
    coupling_to_outbox: [],
    coupled_profiles: ['worker'],
    coupling_leaves: [],
    coupling_not_to_tell: ['app'],
    coupling_to_tell: ['app'],
    coupling_vouches: [],
    coupling_purge: [],
    coupling_state_to_outbox: [],
    outbox_records_coupling: [],
    claim_again: ['app'],
    claim_apply: ['worker'],
    claim_dispute: ['worker'],
    claim_is_taken: [],
    claim_keeper_set: ['worker'],
    claim_outrun: ['worker'],
    claim_put_off: ['app'],
    claim_put: [],
    claim_standing: [],
    claim_tell: [],
    claims_promote: [],
    claims_refresh: [],
    coupling_to_claims: [],
    enqueue_job: ['app', 'worker'],
    foreign_bookings_of_id: ['guide'],
    foreign_bookings_of_guide: ['guide'],
    foreign_booking_to_claim: [],
    foreign_times: ['app', 'worker'],
    link_to_sync_peer: [],
    merge_profile: ['worker'],
    link_health: ['app'],
    link_purge: [],
    offer_title_to_assignments: [],
    outbox_fill_coupling: ['worker'],
    outbox_records_assignment: [],
    forget_buried_couplings: ['worker'],
    give_back_rules: ['worker'],
    guide_conflicts: ['app'],
    outrun_assignment: ['worker'],
    outbox_due: ['worker'],
    outbox_put: ['app', 'worker'],
    outbox_records_profile: [],
    outbox_records_rule: [],
    profile_logged: [],
    profile_of: [],
    outbox_records_claim: [],
    outbox_records_dispute: [],
    outbox_records_keeper: [],
    profile_of_guide: ['guide'],
    profile_stamp_to_outbox: [],
    profile_to_outbox: [],
    release_lost_booking: ['app', 'worker'],
    rule_to_outbox: [],
    shared_bank_data_to_outbox: [],
    stamp_adopted: [],
    stamp_code: ['worker'],
  });
  expect(rows.filter(({ everybody }) => everybody)).toEqual([]);
});

describe('tried for real', () => {
  test.each<[RuntimeRole, string, string]>([
    ['app', 'select * from signing_key', DENIED],
    ['app', 'select * from link_key', DENIED],
    ['app', 'select * from partner_assignment', DENIED],
    ['app', 'select * from foreign_booking', DENIED],
    ['app', `select * from foreign_bookings_of_guide('00000000-0000-0000-0000-000000000000', now(), now())`, DENIED],
    ['app', `select * from foreign_bookings_of_id('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000')`, DENIED],
    ['app', `select * from calendar_of_guide('00000000-0000-0000-0000-000000000000', now(), now())`, DENIED],
    ['app', 'select * from outbox', DENIED],
    ['app', 'select last_contact_at from sync_peer', DENIED],
    ['app', `select * from link_health('{}', now())`, 'allowed'],
    ['app', 'update coupling set paused_there = true', DENIED],
    ['app', `update settings set name = 'Taken over'`, DENIED],
    ['app', `update link set state = 'ACTIVE'`, DENIED],
    ['app', 'delete from audit_entry', DENIED],
    ['app', 'delete from availability_rule', DENIED],
    ['app', `update audit_entry set action = 'nothing'`, DENIED],
    ['app', 'select * from graphile_worker._private_jobs', DENIED],
    ['app', 'create table mine (id int)', DENIED],
    ['app', 'alter table booking disable trigger all', DENIED],
    ['app', 'select * from customer', 'allowed'],
    ['guide', 'select * from customer', DENIED],
    ['guide', 'select * from booking', DENIED],
    ['guide', 'select * from guide', DENIED],
    ['guide', 'select * from account', DENIED],
    ['guide', 'select * from absence', DENIED],
    ['guide', 'select * from foreign_booking', DENIED],
    ['guide', 'select * from partner_assignment', DENIED],
    ['guide', `select * from calendar_of_guides(array['00000000-0000-0000-0000-000000000000']::uuid[], now(), now())`, DENIED],
    ['guide', 'create table mine (id int)', DENIED],
    ['partner', 'select * from guide_assignment', DENIED],
    ['partner', 'select * from booking', DENIED],
    ['partner', 'select * from customer', DENIED],
    ['partner', 'select * from individual_availability', DENIED],
    ['partner', 'select * from guide', DENIED],
    ['partner', 'select * from coupling', DENIED],
    ['partner', 'select * from link', DENIED],
    ['partner', 'select * from offer', DENIED],
    ['partner', `select * from calendar_of_guide('00000000-0000-0000-0000-000000000000', now(), now())`, DENIED],
    ['partner', `select * from coupled_profiles('00000000-0000-0000-0000-000000000000', '{}')`, DENIED],
    ['app', `select * from coupled_profiles('00000000-0000-0000-0000-000000000000', '{}')`, DENIED],
    ['partner', `select enqueue_job('send-invitation', '{}', 'k')`, DENIED],
    ['partner', 'select * from partner_assignment', 'allowed'],
    ['worker', 'select * from booking', DENIED],
    ['worker', 'select start_at from guide_assignment', 'allowed'],
    ['worker', 'select block_note from guide_assignment', DENIED],
    ['worker', `update guide_assignment set verification = 'VERIFIED'`, 'allowed'],
    ['worker', 'select * from customer', DENIED],
    ['worker', 'select * from absence', DENIED],
    ['worker', 'select * from individual_availability', DENIED],
    ['worker', 'select email from guide', DENIED],
    ['worker', 'select phone from guide', DENIED],
    ['worker', 'select iban from guide', DENIED],
    ['worker', 'select first_name from guide', 'allowed'],
    ['worker', `update guide set first_name = 'x'`, DENIED],
    ['worker', 'select * from audit_entry', DENIED],
    ['worker', 'create table mine (id int)', DENIED],
  ])('%s: %s is %s', async (role, statement, expected) => {
    expect(await attempt(role, statement)).toBe(expected);
  });

  test('the guide role’s functions give one guide his own calendar', async () => {
    const { rows } = await connections.guide.query('select * from calendar_of_guide($1, $2, $3)', [guideId, at(-1), at(9)]);
    expect(rows).toMatchObject([{ id: assignmentId, partner_code: null }]);
    expect((await connections.guide.query('select * from calendar_entry($1, $2)', [await records.guide(), assignmentId])).rows).toEqual([]);
    expect((await connections.guide.query('select * from profile_of_guide($1, $2)', [guideId, await records.guide()])).rows).toEqual([]);
  });

  test('the partner’s view holds nothing but what may leave the instance', async () => {
    const { fields } = await connections.partner.query('select * from partner_assignment');
    expect(fields.map(({ name }) => name)).toEqual(['coupling_id', 'link_id', 'partner_code', 'global_id', 'id', 'start_at', 'end_at', 'offer_title', 'kind', 'version', 'incarnation', 'ended']);
  });
});

test('no role is superuser, owns anything, makes roles or databases, passes row security or becomes another', async () => {
  const rows = await records.query(
    `select rolname from pg_roles r where rolname like $1 || '%' and rolname <> $1 || '_owner'
       and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls
         or exists (select 1 from pg_class c where c.relowner = r.oid) or exists (select 1 from pg_database d where d.datdba = r.oid)
         or (select count(*) from pg_auth_members m where m.member = r.oid) <> 1)`,
    [instance.database],
  );
  expect(rows).toEqual([]);
  expect(await attempt('app', 'set role lotse_worker')).toBe(DENIED);
  expect(await attempt('partner', `set role ${instance.database}_app`)).toBe(DENIED);
  expect(await attempt('guide', 'set session authorization postgres')).toBe(DENIED);
});

test('a role of one instance cannot connect to another’s database, nor to those that every cluster has', async () => {
  const other = cleanup.own(await createInstance({ code: 'other' }), (made) => made.drop());
  for (const role of [...ROLES, 'owner'] as const) {
    for (const database of [other.database, 'postgres', 'template1']) {
      const url = new URL(instance.roleUrl(role));
      url.pathname = `/${database}`;
      const client = new Client({ connectionString: url.toString() });
      await expect(client.connect()).rejects.toMatchObject({ code: DENIED });
      await client.end().catch(() => undefined);
    }
  }
});

test('passwords differ from role to role and from instance to instance', async () => {
  const other = cleanup.own(await createInstance({ code: 'other' }), (made) => made.drop());
  const passwords = [instance, other].flatMap((of) => ROLES.map((role) => new URL(of.roleUrl(role)).password));
  expect(new Set(passwords).size).toBe(8);
  const wrong = new URL(instance.roleUrl('app'));
  wrong.password = new URL(instance.roleUrl('worker')).password;
  await expect(new Client({ connectionString: wrong.toString() }).connect()).rejects.toMatchObject({ code: '28P01' });
});
