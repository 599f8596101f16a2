-- Every pause, and every one that there was; `resumed_at` tells them apart.
select p.kind, p.name, p.paused_by, p.paused_at, p.resumed_at
from :GRAPHILE_WORKER_SCHEMA._gwx_pause as p
order by p.kind, p.name
