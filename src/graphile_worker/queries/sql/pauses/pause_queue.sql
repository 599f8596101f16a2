-- Locks a queue for nobody, as a lock in the far future, which no worker of any kind takes for an old
-- one. A finite date: other programs may not be able to read infinity. A job of the queue that is
-- running ends as usual, and cannot unlock what is not locked by its worker any more. The queue is
-- made where it is missing, so that it can be paused before its first job comes.
insert into :GRAPHILE_WORKER_SCHEMA._private_job_queues as q (queue_name, locked_at, locked_by)
values ($1::text, '9999-12-31T00:00:00Z'::timestamptz, 'paused:' || $2::text)
on conflict (queue_name) do update
set locked_at = excluded.locked_at,
    locked_by = case
      when starts_with(q.locked_by, 'paused:') then q.locked_by
      else excluded.locked_by
    end
returning q.id
