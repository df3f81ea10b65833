-- What a host is (seldom written) and what it does now (written all the time) are two reports.
create table host_facts (
  host text primary key references hosts on delete cascade,
  facts jsonb not null,
  -- When it was last reported that the host is another than before.
  changed_at timestamptz not null default clock_timestamp()
);
create table host_loads (
  host text primary key references hosts on delete cascade,
  load jsonb not null
);

-- Hosts that never answer again keep what they were: their stopped VMs are still judged by it.
insert into host_facts (host, facts)
select name, (facts - 'vms') || jsonb_build_object(
  'memory', (facts->'memory') - 'availableBytes',
  'migration', case when facts->'migration' = 'null' then 'null' else (facts->'migration') #- '{link,up}' end,
  'links', (select coalesce(jsonb_agg(link - 'up'), '[]') from jsonb_array_elements(facts->'links') link),
  'portGroups', (
    select coalesce(jsonb_agg(port_group - 'uplinkUp'), '[]') from jsonb_array_elements(facts->'portGroups') port_group
  ),
  'datastores', (
    select coalesce(jsonb_agg(datastore - '{leases,totalBytes,freeBytes}'::text[]), '[]')
    from jsonb_array_elements(facts->'datastores') datastore
  ),
  'failures', '[]'::jsonb
)
from hosts where facts is not null;

insert into host_loads (host, load)
select name, jsonb_build_object(
  'name', facts->'name',
  'reportedAt', facts->'reportedAt',
  'memory', jsonb_build_object('availableBytes', facts->'memory'->'availableBytes', 'pressurePercent', null),
  'cpu', null,
  'links', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'name', link->'name', 'up', link->'up', 'receivedBytesPerSecond', null, 'sentBytesPerSecond', null
    )), '[]')
    from jsonb_array_elements(facts->'links') link
  ),
  'portGroups', (
    select coalesce(jsonb_agg(jsonb_build_object('name', port_group->'name', 'uplinkUp', port_group->'uplinkUp')), '[]')
    from jsonb_array_elements(facts->'portGroups') port_group
  ),
  'datastores', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'name', datastore->'name',
      'space', jsonb_build_object('totalBytes', datastore->'totalBytes', 'freeBytes', datastore->'freeBytes'),
      'reason', null,
      'leases', datastore->'leases'
    )), '[]')
    from jsonb_array_elements(facts->'datastores') datastore
  ),
  'vms', (
    select coalesce(jsonb_agg(vm || '{"usedCpus": null, "residentBytes": null}'), '[]')
    from jsonb_array_elements(facts->'vms') vm
  ),
  'failures', jsonb_build_array(jsonb_build_object(
    'part', 'cpu', 'reason', 'the host has not reported since Godwit was upgraded'
  ))
)
from hosts where facts is not null;

alter table hosts drop column facts;
