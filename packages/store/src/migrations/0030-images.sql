-- The library of images: files in the folder images of a datastore.
create table images (
  name text primary key,
  datastore text not null,
  path text not null,
  format text not null,
  bytes double precision not null,
  virtual_bytes double precision not null,
  sha256 text not null,
  origin text not null,
  added_at timestamptz not null default now()
);
