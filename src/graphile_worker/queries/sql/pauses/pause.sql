-- Pauses a task, a cron entry, or all. One that is paused already stays as it is.
insert into :GRAPHILE_WORKER_SCHEMA._gwx_pause as p (kind, name, paused_by)
values ($1::text, $2::text, $3::text)
on conflict (kind, name) do update
set paused_by = case when p.resumed_at is null then p.paused_by else excluded.paused_by end,
    paused_at = case when p.resumed_at is null then p.paused_at else excluded.paused_at end,
    resumed_at = null
returning p.kind, p.name, p.paused_by, p.paused_at
