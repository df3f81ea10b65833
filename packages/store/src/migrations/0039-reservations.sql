-- Whether the hosts of a LUN register with it for SCSI-3 persistent reservations.
alter table datastores add column reservations boolean not null default false;
