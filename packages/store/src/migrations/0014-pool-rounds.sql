-- How far a pool balances itself. Pools that are there already do not.
alter table pools add column automation text not null default 'off';
alter table pools add column threshold int not null default 3;
alter table pools add column goal text not null default 'happy';

-- What was planned, on what, and what became of it.
create table pool_rounds (
  pool text not null references pools on delete cascade,
  number bigint generated always as identity,
  at timestamptz not null default clock_timestamp(),
  balance jsonb not null,
  plan jsonb not null,
  moves jsonb not null,
  unmeasured jsonb not null,
  inputs bytea not null,
  primary key (pool, number)
);
