-- Hosts that were fenced while they shared a lease, and the latest question of each host that was decided.
alter table leases add column fenced jsonb not null default '[]';
alter table leases add column heard jsonb not null default '{}';
