-- The newest job: jobs added later are no part of a bulk change.
select max(j.id) from :GRAPHILE_WORKER_SCHEMA._private_jobs as j
