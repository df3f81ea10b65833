-- Datastores that the inventory defines, and for which hosts. Where one lies elsewhere on a host, that host's row says so.
create table datastores (
  name text primary key,
  shared boolean not null,
  source jsonb not null,
  everywhere boolean not null,
  created_at timestamptz not null default clock_timestamp()
);
create table datastore_hosts (
  datastore text not null references datastores on delete cascade,
  host text not null references hosts on delete cascade,
  source jsonb,
  primary key (datastore, host)
);
create index datastore_hosts_host on datastore_hosts (host);
-- Whether what a host has was taken over: once when it is new or this database was restored, whoever defined it.
alter table hosts add column datastores_known boolean not null default false;
