-- Virtual switches that the inventory defines, and for which hosts; a row of a host says its uplink, null: none.
create table switches (
  name text primary key,
  uplink text,
  mtu integer not null,
  everywhere boolean not null,
  created_at timestamptz not null default clock_timestamp()
);
create table switch_hosts (
  switch text not null references switches on delete cascade,
  host text not null references hosts on delete cascade,
  uplink text,
  primary key (switch, host)
);
create index switch_hosts_host on switch_hosts (host);
-- Port groups: each is on all hosts that have its switch. An mtu of null: the switch's.
create table networks (
  name text primary key,
  switch text not null references switches,
  vlan integer not null,
  mtu integer,
  allow_forged_transmits boolean not null,
  created_at timestamptz not null default clock_timestamp()
);
create index networks_switch on networks (switch);
-- Whether what a host was told by an inventory before this one was taken over.
alter table hosts add column networks_known boolean not null default false;
