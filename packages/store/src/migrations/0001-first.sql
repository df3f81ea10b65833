-- Hosts that have joined, with what they last reported.
create table hosts (
  name text primary key,
  agent_url text not null,
  -- SHA-256 of the certificate that counts; an older one of the same name does not.
  certificate_fingerprint text not null,
  joined_at timestamptz not null default now(),
  seen_at timestamptz,
  unreachable_reason text,
  facts jsonb
);

-- One-time tokens, as hashes.
create table join_tokens (
  secret_hash text primary key,
  expires_at timestamptz not null,
  used_at timestamptz,
  used_by text
);

create table vms (
  id uuid primary key,
  name text not null unique,
  state text not null,
  host text not null,
  seen_at timestamptz not null,
  -- When place or state were last set; reports asked for before that are older.
  changed_at timestamptz not null default clock_timestamp(),
  config jsonb not null
);

create table tasks (
  id uuid primary key,
  kind text not null,
  subject_kind text not null,
  subject_id text not null,
  subject_name text not null,
  state text not null,
  revision integer not null default 1,
  -- What was asked, for a server that takes the task up again.
  request jsonb not null,
  -- The rest of the task as users see it.
  body jsonb not null,
  actor text not null,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
-- One task at a time for each object, and for each name that is to become a VM's.
create unique index tasks_one_active on tasks (subject_kind, subject_id) where ended_at is null;
create unique index tasks_one_name on tasks (subject_name) where ended_at is null and kind = 'vm.create';
create index tasks_newest on tasks (created_at desc);

create table events (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  type text not null,
  subject_kind text not null,
  subject_id text not null,
  data jsonb not null
);

-- Who may run a VM. Rows never expire: a holder that is gone for good is fenced by removing its host.
create table leases (
  vm_id uuid primary key,
  vm_name text not null,
  -- Grows with each exclusive grant to a host that was not the last exclusive holder.
  version integer not null default 0,
  last_exclusive_host text
);
create table lease_holders (
  vm_id uuid not null references leases,
  host text not null,
  mode text not null check (mode in ('EX', 'SH')),
  since timestamptz not null default clock_timestamp(),
  primary key (vm_id, host)
);
create unique index lease_one_exclusive on lease_holders (vm_id) where mode = 'EX';
