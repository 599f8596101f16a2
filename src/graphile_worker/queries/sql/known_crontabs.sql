select k.identifier, k.known_since, k.last_execution
from :GRAPHILE_WORKER_SCHEMA._private_known_crontabs as k
order by k.identifier
