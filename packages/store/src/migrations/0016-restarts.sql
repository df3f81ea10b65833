-- Since when a pool starts VMs again that died; null: it does not.
alter table pools add column restart_since timestamptz;
