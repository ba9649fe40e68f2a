-- Foundation: the tables, their constraints, the redacted views and the rights of the four login roles.
-- The group roles (lotse_app, lotse_guide, lotse_partner, lotse_worker) exist before migrations run; see scripts/setup.

create extension if not exists btree_gist;

create table "audit_entry" ("id" uuid not null, "at" timestamptz(3) not null, "actor_kind" varchar(16) not null, "actor_id" varchar(64) null, "actor_role" varchar(16) null, "on_behalf_of" varchar(64) null, "action" varchar(64) not null, "subject_type" varchar(32) not null, "subject_id" varchar(64) not null, "before" jsonb null, "after" jsonb null, primary key ("id"));
create index "audit_entry_at" on "audit_entry" ("at", "id");
create index "audit_entry_subject" on "audit_entry" ("subject_type", "subject_id", "at");
create table "customer" ("id" uuid not null, "name" varchar(200) not null, "email" varchar(254) null, "phone" varchar(50) null, "created_at" timestamptz(3) not null default now(), primary key ("id"));
create table "guide" ("id" uuid not null, "global_id" varchar(64) null, "global_id_minted_at" timestamptz(3) null, "first_name" varchar(100) not null, "last_name" varchar(100) not null, "email" varchar(254) null, "phone" varchar(50) null, "languages" text[] not null default '{}', "active" boolean not null default true, "version" int not null default 1, "created_at" timestamptz(3) not null default now(), primary key ("id"));
alter table "guide" add constraint "guide_global_id_unique" unique ("global_id");
create index "guide_name" on "guide" ("last_name", "first_name", "id");
create table "account" ("id" uuid not null, "email" varchar(254) not null, "display_name" varchar(200) not null, "password_hash" varchar(255) null, "state" varchar(16) not null, "guide_id" uuid null, "version" int not null default 1, "created_at" timestamptz(3) not null default now(), primary key ("id"));
alter table "account" add constraint "account_email_unique" unique ("email");
alter table "account" add constraint "account_guide_id_unique" unique ("guide_id");
create table "account_role" ("account_id" uuid not null, "role" varchar(16) not null, primary key ("account_id", "role"));
create table "guide_alias" ("global_id" varchar(64) not null, "guide_id" uuid not null, primary key ("global_id"));
create index "guide_alias_guide_id_index" on "guide_alias" ("guide_id");
create table "idempotency_key" ("account_id" uuid not null, "mutation" varchar(64) not null, "key" varchar(100) not null, "input_hash" varchar(64) not null, "outcome" jsonb not null, "created_at" timestamptz(3) not null, primary key ("account_id", "mutation", "key"));
create index "idempotency_key_created_at_index" on "idempotency_key" ("created_at");
create table "invitation" ("id" uuid not null, "account_id" uuid not null, "purpose" varchar(16) not null default 'INVITATION', "token_hash" varchar(64) not null, "created_at" timestamptz(3) not null, "expires_at" timestamptz(3) not null, "used_at" timestamptz(3) null, primary key ("id"));
create index "invitation_account_id_index" on "invitation" ("account_id");
alter table "invitation" add constraint "invitation_token_hash_unique" unique ("token_hash");
create table "link" ("id" uuid not null, "partner_code" varchar(32) not null, "partner_name" varchar(200) not null, "partner_url" varchar(500) not null, "partner_endpoint" varchar(500) not null, "scopes" text[] not null default '{}', "state" varchar(16) not null, "suspended_here" boolean not null default false, "suspended_there" boolean not null default false, "version" int not null default 1, "created_at" timestamptz(3) not null, "updated_at" timestamptz(3) not null, primary key ("id"));
create table "coupling" ("id" uuid not null, "link_id" uuid not null, "guide_id" uuid null, "global_id" varchar(64) null, "state" varchar(16) not null, "requested_here" boolean not null, "requested_name" varchar(200) null, "confirmed_here" boolean not null default false, "confirmed_there" boolean not null default false, "partner_global_id" varchar(64) null, "partner_global_id_minted_at" timestamptz(3) null, "since" timestamptz(3) null, "version" int not null default 1, "created_at" timestamptz(3) not null, "updated_at" timestamptz(3) not null, primary key ("id"));
create index "coupling_link_id_index" on "coupling" ("link_id");
create index "coupling_guide_id_index" on "coupling" ("guide_id");
create table "link_key" ("link_id" uuid not null, "kid" varchar(64) not null, "side" varchar(8) not null, "public_jwk" jsonb not null, "private_key_encrypted" text null, "created_at" timestamptz(3) not null, "accepted_until" timestamptz(3) null, primary key ("link_id", "kid"));
create table "login_attempt" ("key" varchar(255) not null, "points" int not null default 0, "expire" bigint null, primary key ("key"));
create table "offer" ("id" uuid not null, "title" varchar(200) not null, "description" text null, "duration_minutes" int not null, "languages" text[] not null default '{}', "guide_demand" int not null default 1, "price_amount" bigint not null, "price_currency" varchar(3) not null, "active" boolean not null default true, "version" int not null default 1, "created_at" timestamptz(3) not null default now(), primary key ("id"));
create index "offer_title" on "offer" ("title", "id");
create table "guide_offer" ("guide_id" uuid not null, "offer_id" uuid not null, primary key ("guide_id", "offer_id"));
create index "guide_offer_offer_id_index" on "guide_offer" ("offer_id");
create table "booking" ("id" uuid not null, "offer_id" uuid not null, "customer_id" uuid not null, "start_at" timestamptz(3) not null, "end_at" timestamptz(3) not null, "state" varchar(16) not null, "party_size" int null, "language" varchar(35) null, "notes" text null, "guide_demand" int not null, "cancel_reason" text null, "cancel_origin" varchar(16) null, "cancelled_at" timestamptz(3) null, "version" int not null default 1, "created_at" timestamptz(3) not null default now(), "updated_at" timestamptz(3) not null default now(), primary key ("id"));
create index "booking_offer_id_index" on "booking" ("offer_id");
create index "booking_customer_id_index" on "booking" ("customer_id");
create index "booking_start" on "booking" ("start_at", "id");
create table "guide_assignment" ("id" uuid not null, "guide_id" uuid not null, "booking_id" uuid null, "start_at" timestamptz(3) not null, "end_at" timestamptz(3) not null, "ended_at" timestamptz(3) null, "version" int not null default 1, "created_at" timestamptz(3) not null default now(), primary key ("id"));
create index "guide_assignment_booking_id_index" on "guide_assignment" ("booking_id");
create index "guide_assignment_calendar" on "guide_assignment" ("guide_id", "start_at");
create table "session" ("id" uuid not null, "account_id" uuid not null, "role" varchar(16) not null, "created_at" timestamptz(3) not null, "expires_at" timestamptz(3) not null, "ended_at" timestamptz(3) null, "end_reason" varchar(32) null, primary key ("id"));
create index "session_account_id_index" on "session" ("account_id");
create index "session_expires_at_index" on "session" ("expires_at");
create table "refresh_token" ("hash" varchar(64) not null, "session_id" uuid not null, "issued_at" timestamptz(3) not null, "used_at" timestamptz(3) null, primary key ("hash"));
create index "refresh_token_session_id_index" on "refresh_token" ("session_id");
create table "session_subscription" ("session_id" uuid not null, "guide_id" uuid not null, primary key ("session_id", "guide_id"));
create table "settings" ("code" varchar(32) not null, "name" varchar(200) not null, "url" varchar(500) not null, "logo" varchar(500) null, "homepage" varchar(500) null, "time_zone" varchar(64) not null, "locale" varchar(35) not null, "currency" varchar(3) not null, "version" int not null default 1, "updated_at" timestamptz(3) not null default now(), primary key ("code"));
create table "signing_key" ("kid" varchar(64) not null, "public_jwk" jsonb not null, "private_key_encrypted" text not null, "created_at" timestamptz(3) not null, "active_from" timestamptz(3) not null, "accepted_until" timestamptz(3) null, primary key ("kid"));
create table "used_token" ("issuer" varchar(32) not null, "jti" varchar(64) not null, "expires_at" timestamptz(3) not null, primary key ("issuer", "jti"));
create index "used_token_expires_at_index" on "used_token" ("expires_at");
alter table "account" add constraint "account_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on delete set null;
alter table "account_role" add constraint "account_role_account_id_foreign" foreign key ("account_id") references "account" ("id") on delete cascade;
alter table "guide_alias" add constraint "guide_alias_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on delete cascade;
alter table "invitation" add constraint "invitation_account_id_foreign" foreign key ("account_id") references "account" ("id") on delete cascade;
alter table "coupling" add constraint "coupling_link_id_foreign" foreign key ("link_id") references "link" ("id");
alter table "coupling" add constraint "coupling_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on delete set null;
alter table "link_key" add constraint "link_key_link_id_foreign" foreign key ("link_id") references "link" ("id") on delete cascade;
alter table "guide_offer" add constraint "guide_offer_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on update cascade on delete cascade;
alter table "guide_offer" add constraint "guide_offer_offer_id_foreign" foreign key ("offer_id") references "offer" ("id") on update cascade on delete cascade;
alter table "booking" add constraint "booking_offer_id_foreign" foreign key ("offer_id") references "offer" ("id");
alter table "booking" add constraint "booking_customer_id_foreign" foreign key ("customer_id") references "customer" ("id");
alter table "guide_assignment" add constraint "guide_assignment_guide_id_foreign" foreign key ("guide_id") references "guide" ("id");
alter table "guide_assignment" add constraint "guide_assignment_booking_id_foreign" foreign key ("booking_id") references "booking" ("id") on delete set null;
alter table "session" add constraint "session_account_id_foreign" foreign key ("account_id") references "account" ("id") on delete cascade;
alter table "refresh_token" add constraint "refresh_token_session_id_foreign" foreign key ("session_id") references "session" ("id") on delete cascade;
alter table "session_subscription" add constraint "session_subscription_session_id_foreign" foreign key ("session_id") references "session" ("id") on delete cascade;

-- Rules the database itself keeps ---------------------------------------------------------------------------------

create unique index settings_single_row on settings ((true));

-- One living agreement per partner; ended ones stay as a record.
create unique index link_living_partner on link (partner_code) where state <> 'ENDED';

-- One living coupling per guide and partner.
create unique index coupling_living_guide on coupling (link_id, guide_id) where guide_id is not null and state not in ('DECLINED', 'ENDED');

-- The heart of the matter: no guide twice at once. Half-open, so touching edges do not overlap.
alter table guide_assignment add constraint guide_assignment_no_overlap
  exclude using gist (guide_id with =, tstzrange(start_at, end_at) with &&) where (ended_at is null);

create index guide_assignment_open_booking on guide_assignment (booking_id) where ended_at is null;
