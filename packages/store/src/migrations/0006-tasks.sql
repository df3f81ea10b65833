-- Results of the steps of tasks that are done: a server that takes the task up again does not repeat them.
create table task_steps (
  task uuid not null references tasks on delete cascade,
  key text not null,
  result jsonb not null,
  done_at timestamptz not null default clock_timestamp(),
  primary key (task, key)
);

-- What the tasks under way keep busy, each thing by one task: vm:<id>, host:<name>, vm-name:<name>.
create table task_locks (
  name text primary key,
  task uuid not null references tasks on delete cascade
);
create index task_locks_task on task_locks (task);
insert into task_locks (name, task)
  select subject_kind || ':' || subject_id, id from tasks where ended_at is null;
insert into task_locks (name, task)
  select 'vm-name:' || subject_name, id from tasks where ended_at is null and kind = 'vm.create';
drop index tasks_one_active;
drop index tasks_one_name;

-- Requests say which VM by id and name; a move's order is what its first step answers.
insert into task_steps (task, key, result)
  select id, 'order', jsonb_build_object('value', request -> 'order') from tasks where kind = 'vm.migrate' and ended_at is null;
update tasks set request =
  jsonb_build_object('vm', jsonb_build_object('id', subject_id, 'name', subject_name)) ||
  case kind
    when 'vm.migrate' then jsonb_build_object(
      'from', request #> '{order,from}',
      'to', request #> '{order,to,host}',
      'accelerator', request #> '{order,accelerator}',
      'maxOutageMs', request #> '{order,maxOutageMs}',
      'strategy', request #> '{order,strategy}',
      'bandwidthBytesPerSecond', request #> '{order,bandwidthBytesPerSecond}')
    when 'vm.start' then request - 'vm'
    when 'vm.configure' then (request - '{vmId,name,cpuWish}'::text[]) || jsonb_build_object('cpu', request -> 'cpuWish')
    else request - '{vmId,name}'::text[]
  end
  where subject_kind = 'vm' and kind <> 'vm.create';

-- Steps have a key beside their sentence, what is waited for is data, and only moves have a phase, progress and record.
update tasks set body =
  (body - '{phase,progress,move}'::text[]) ||
  case when kind = 'vm.migrate' then jsonb_build_object(
    'phase', body -> 'phase', 'progress', body -> 'progress', 'move', body -> 'move') else '{}' end ||
  jsonb_build_object(
    'waitingFor', null,
    'result', null,
    'steps', coalesce(
      (select jsonb_agg(jsonb_build_object('key', step -> 'name') || step order by place)
        from jsonb_array_elements(body -> 'steps') with ordinality as steps (step, place)),
      '[]'));

-- Events of the earlier form: who was away reads the tasks themselves.
delete from events where type = 'task.changed';
