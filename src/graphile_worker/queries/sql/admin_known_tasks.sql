-- Identifiers of tasks, whether they have jobs or not.
select t.identifier
from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
order by t.identifier
limit $1::bigint
