-- Whether a host takes VMs.
alter table hosts add column maintenance text not null default 'off'
  check (maintenance in ('off', 'entering', 'on'));

-- The task that a task is a part of, and the host that its VM will be on when it has ended.
alter table tasks add column parent uuid references tasks;
alter table tasks add column arrives_at text;
create index tasks_children on tasks (parent) where parent is not null;
