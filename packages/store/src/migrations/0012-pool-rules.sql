-- Rules of pools. What they name is in tables of its own: a VM or host that is removed leaves its rules.
create table pool_rules (
  pool text not null references pools on delete cascade,
  name text not null,
  terms jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (pool, name)
);
create table pool_rule_vms (
  pool text not null,
  rule text not null,
  vm uuid not null references vms on delete cascade,
  primary key (pool, rule, vm),
  foreign key (pool, rule) references pool_rules on delete cascade
);
create index pool_rule_vms_vm on pool_rule_vms (vm);
create table pool_rule_hosts (
  pool text not null,
  rule text not null,
  host text not null references hosts on delete cascade,
  primary key (pool, rule, host),
  foreign key (pool, rule) references pool_rules on delete cascade
);
create index pool_rule_hosts_host on pool_rule_hosts (host);
