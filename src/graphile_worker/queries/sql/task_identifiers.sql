-- Identifiers that begin with a text, for completion in a shell: a few, and quickly.
select t.identifier
from :GRAPHILE_WORKER_SCHEMA._private_tasks as t
where left(t.identifier, length($1::text)) = $1::text
order by t.identifier
limit 100
