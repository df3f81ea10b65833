-- Hosts that share one CPU baseline.
create table pools (
  name text primary key,
  created_at timestamptz not null default clock_timestamp(),
  -- Key and revision of an EVC mode, like intel-haswell@1; null: no baseline.
  evc_mode text,
  -- Microcode-delivered features that all hosts have.
  microcode jsonb not null default '[]'
);
alter table hosts add column pool text references pools;

-- What an operator should know of a host: derived from what it reports, kept so that a change is told once.
alter table hosts add column alarms jsonb not null default '[]';
