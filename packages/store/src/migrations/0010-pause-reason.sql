-- Why the vCPUs of a VM that has a process stand still; null: they do not, or nobody told.
alter table vms add column pause_reason text;
