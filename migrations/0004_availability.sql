-- When guides are available: rules, which travel to the houses a guide is coupled in, and what is each house's own.

create table "availability_rule" ("id" uuid not null, "guide_id" uuid not null, "origin" varchar(32) not null, "time_zone" varchar(64) not null, "start_time" varchar(5) not null, "duration_minutes" int not null, "rrule" text not null, "valid_from" date not null, "valid_until" date null, "exdates" date[] not null default '{}', "skips_holidays" boolean not null default false, "holidays" date[] not null default '{}', "stamp" varchar(64) not null, "holidays_stamp" varchar(64) not null, "deleted" boolean not null default false, "version" int not null default 1, "created_at" timestamptz(3) not null, "updated_at" timestamptz(3) not null, primary key ("id"));
create index "availability_rule_guide" on "availability_rule" ("guide_id");
create table "individual_availability" ("id" uuid not null, "guide_id" uuid not null, "start_at" timestamptz(3) not null, "end_at" timestamptz(3) not null, "available" boolean not null, "note" text null, primary key ("id"));
create table "absence" ("id" uuid not null, "guide_id" uuid not null, "start_at" timestamptz(3) not null, "end_at" timestamptz(3) not null, "reason" text null, "version" int not null default 1, "created_at" timestamptz(3) not null, primary key ("id"));
create index "absence_guide" on "absence" ("guide_id", "start_at");
create table "holiday" ("date" date not null, "name" varchar(100) not null, primary key ("date"));
alter table "availability_rule" add constraint "availability_rule_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on delete cascade;
alter table "individual_availability" add constraint "individual_availability_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on delete cascade;
alter table "absence" add constraint "absence_guide_id_foreign" foreign key ("guide_id") references "guide" ("id") on delete cascade;

-- What evaluation relies on, whoever writes: this house or what was received from another.
alter table availability_rule add constraint availability_rule_bounds check (
  start_time ~ '^([01][0-9]|2[0-3]):(00|15|30|45)$' and duration_minutes between 15 and 1440 and duration_minutes % 15 = 0
  and length(rrule) <= 250 and (valid_until is null or valid_until >= valid_from)
  and cardinality(exdates) <= 366 and cardinality(holidays) <= 200);
-- One setting for every moment. The index serves reading too.
alter table individual_availability add constraint individual_availability_no_overlap
  exclude using gist (guide_id with =, tstzrange(start_at, end_at) with &&);
alter table individual_availability add constraint individual_availability_interval check (end_at > start_at);
alter table absence add constraint absence_interval check (end_at > start_at);

-- Deleted rules stay, so the house cannot remove them; the worker does when a coupling ends.
grant select, insert, update on availability_rule to lotse_app;
grant select, insert, update, delete on availability_rule to lotse_worker;
grant select, insert, update, delete on individual_availability, absence, holiday to lotse_app;
