-- Of these jobs those that no other transaction holds; nobody else can take them from now on. What is
-- held is passed over, so that this waits for nobody, and comes into no deadlock.
select j.id
from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
where j.id = any ($1::bigint[])
for update skip locked
