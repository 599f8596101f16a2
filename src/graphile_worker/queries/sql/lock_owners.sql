-- Who holds jobs, and what is known of them. There is no index on locked_by: this reads the table of
-- jobs once. $1: seconds of silence after which a worker counts as dead; a lock is old after four
-- hours, when the functions of the schema count it as none; it is older than its owner when it was
-- taken before that worker began, which a restored backup or a copied id makes.
select
  held.locked_by,
  held.jobs,
  extract(epoch from now() - held.since)::double precision,
  held.first_id,
  w.id is not null,
  coalesce(w.last_heartbeat_at >= now() - $1::double precision * interval '1 second', false),
  held.old,
  coalesce(held.since < w.started_at, false)
from (
  select
    j.locked_by, count(*) as jobs, min(j.locked_at) as since, min(j.id) as first_id,
    count(*) filter (where j.locked_at < now() - interval '4 hours') as old
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.locked_at is not null
  group by j.locked_by
) as held
left join :GRAPHILE_WORKER_SCHEMA._private_workers as w on w.id = held.locked_by
order by held.since
