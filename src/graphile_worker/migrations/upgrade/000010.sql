-- The first versions filled in a random queue; a job without one is meant to have none.

alter table :GRAPHILE_WORKER_SCHEMA.jobs alter column queue_name drop default;
