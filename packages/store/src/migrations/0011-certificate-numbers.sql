-- Certificates of a host are numbered; those before the one that it has used last count no more.
alter table hosts add column certificate_number int not null default 0;
alter table hosts add column certificate_in_use int not null default 0;
