-- Applied migrations are in Kysely's table. What a program of before reads stays, so that it refuses this database.
create table if not exists schema_version (version integer not null);
delete from schema_version;
insert into schema_version values (9);
