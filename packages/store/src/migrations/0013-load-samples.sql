-- What hosts and their VMs used, in windows of two lengths. A row is one host in one window; its VMs are by their ids.
create table load_samples (
  host text not null references hosts on delete cascade,
  resolution text not null,
  at timestamptz not null,
  used_cpus real,
  available_bytes double precision,
  cpu_pressure real,
  memory_pressure real,
  vms jsonb not null,
  primary key (host, resolution, at)
);
