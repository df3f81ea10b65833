-- When VMs of a pool are reset whose guests hang; null: they are not.
alter table pools add column guest_reset jsonb;
