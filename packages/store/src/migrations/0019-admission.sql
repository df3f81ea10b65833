-- Whether VMs of a pool start only where it then still bears the loss of any one host.
alter table pools add column admission boolean not null default false;
