-- What was done last, before entry $2 where it is given.
select a.id, a.at, a.actor, a.action, a.target::text, a.result::text
from :GRAPHILE_WORKER_SCHEMA._gwx_audit as a
where $2::bigint is null or a.id < $2::bigint
order by a.id desc
limit $1::bigint
