-- CHAP secrets of iSCSI targets, encrypted by the server; `id` stands in the datastore's source, and is another with each secret.
create table datastore_secrets (
  datastore text primary key references datastores (name) on delete cascade,
  id text not null,
  sealed text not null
);
