-- By which controller the power of a host is controlled, and what the server did with it.
create table host_power (
  host text primary key references hosts on delete cascade,
  controller jsonb not null,
  -- Of the controller's user, encrypted with a key that lies in the server's folder; null: it has none.
  sealed_password text,
  wake_seconds integer not null,
  off_seconds integer not null,
  -- stopping, standby, waking; null: the server has not changed its power, or the host has answered since.
  state text,
  state_since timestamptz,
  -- The pool that did it to save power; null: an operator.
  state_pool text,
  woke_at timestamptz,
  wake_failed_at timestamptz,
  wake_failure text
);
