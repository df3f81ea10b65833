-- How moves went in terms of their forecasts: what the next forecast is corrected by.
create table move_outcomes (
  number bigint generated always as identity primary key,
  task uuid not null unique,
  vm uuid not null references vms on delete cascade,
  from_host text not null references hosts on delete cascade,
  to_host text not null references hosts on delete cascade,
  at timestamptz not null default clock_timestamp(),
  ratios jsonb not null
);
create index move_outcomes_between on move_outcomes (from_host, to_host, vm);
create index move_outcomes_vm on move_outcomes (vm);
create index move_outcomes_to on move_outcomes (to_host);

-- What all moves from and to a host may carry together, in bytes per second; null: what its link gives.
alter table hosts add column move_bandwidth double precision;
