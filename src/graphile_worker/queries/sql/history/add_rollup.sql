-- What one worker has counted since its last flush, added to what all have counted. Rows come in the
-- order of the key, so that two workers cannot deadlock.
insert into :GRAPHILE_WORKER_SCHEMA._gwx_rollup as r (
  resolution, at, task, completed, failed, dead, run, wait, run_h, wait_h
)
select n.resolution, to_timestamp(n.at), n.task, n.completed, n.failed, n.dead, n.run, n.wait, n.run_h, n.wait_h
from json_to_recordset($1::text::json) as n (
  resolution text, at double precision, task text, completed bigint, failed bigint, dead bigint,
  run double precision, wait double precision, run_h bigint[], wait_h bigint[]
)
order by n.resolution, n.at, n.task
on conflict (resolution, at, task) do update
set completed = r.completed + excluded.completed,
    failed = r.failed + excluded.failed,
    dead = r.dead + excluded.dead,
    run = r.run + excluded.run,
    wait = r.wait + excluded.wait,
    run_h = array(
      select coalesce(h.old, 0) + coalesce(h.new, 0)
      from unnest(r.run_h, excluded.run_h) with ordinality as h (old, new, place)
      order by h.place
    ),
    wait_h = array(
      select coalesce(h.old, 0) + coalesce(h.new, 0)
      from unnest(r.wait_h, excluded.wait_h) with ordinality as h (old, new, place)
      order by h.place
    )
