-- On how many hosts of a pool its load has to fit to save power (null: it does not save power), what was decided last, and when a VM
-- last found no room.
alter table pools add column consolidation jsonb;
alter table pools add column consolidation_decision jsonb;
alter table pools add column shortage_at timestamptz;
alter table pools add column shortage text;
-- When its pool woke a host last.
alter table host_power add column pool_woke_at timestamptz;
