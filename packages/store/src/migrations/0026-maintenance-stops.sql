-- VMs that the maintenance of a host shut down: its end starts them again. Written before they are.
create table maintenance_stops (
  vm uuid primary key references vms on delete cascade,
  host text not null references hosts on delete cascade,
  task uuid not null
);
create index maintenance_stops_host on maintenance_stops (host);
