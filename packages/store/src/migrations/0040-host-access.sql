-- The program of the server that has a datastore's storage take the access of a host away.
alter table datastores add column fence_program text;

-- Hosts that were fenced so, until they have their access back. A row is written before the program runs.
create table host_access (
  datastore text not null references datastores (name),
  host text not null references hosts (name),
  since timestamptz not null,
  -- The last that the host has told; null: it may have had another one since.
  boot_id text,
  -- By what the program was told to fence it: its addresses, as they were then.
  fenced jsonb not null,
  -- revoking, revoked, restoring
  state text not null,
  -- Why the program did not succeed.
  reason text,
  primary key (datastore, host)
);
