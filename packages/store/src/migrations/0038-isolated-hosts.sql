-- Port groups in which hosts do not receive each other's broadcasts: nothing follows there from what a host does not hear.
alter table networks add column isolated_hosts boolean not null default false;
