-- Triggers that went with the tables of before revision 11; and unlocking by hand.

drop function if exists :GRAPHILE_WORKER_SCHEMA.jobs__increase_job_queue_count();
drop function if exists :GRAPHILE_WORKER_SCHEMA.jobs__decrease_job_queue_count();
drop function if exists :GRAPHILE_WORKER_SCHEMA.tg__update_timestamp();

create function :GRAPHILE_WORKER_SCHEMA.force_unlock_workers(worker_ids text[])
returns void language sql as $body$
  update :GRAPHILE_WORKER_SCHEMA.jobs as jobs
    set locked_at = null, locked_by = null
    where jobs.locked_by = any(force_unlock_workers.worker_ids);
  update :GRAPHILE_WORKER_SCHEMA.job_queues as queues
    set locked_at = null, locked_by = null
    where queues.locked_by = any(force_unlock_workers.worker_ids);
$body$;
