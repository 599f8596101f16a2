-- A part of other statements: the priorities of waiting jobs, by one look into the index for each.
(
  select j.priority
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.is_available = true
  order by j.priority
  limit 1
)
union all
select (
  select j.priority
  from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
  where j.is_available = true and j.priority > p.priority
  order by j.priority
  limit 1
)
from priorities as p
where p.priority is not null
