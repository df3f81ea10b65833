-- A host is known by the id that its certificates carry; of a host that joined before, its certificate's fingerprint.
alter table hosts rename column certificate_fingerprint to member_id;
-- When the certificate that it was given last ends; null: not known.
alter table hosts add column certificate_ends_at timestamptz;
-- The host that may join again with the token, under its name; null: a new host.
alter table join_tokens add column host text;
-- Grows with every host that joins or is removed.
create table membership (generation bigint not null);
insert into membership values (1);
