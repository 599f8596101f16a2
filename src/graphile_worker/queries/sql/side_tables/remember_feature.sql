-- A feature is there, set up so. When it was installed stays.
insert into :GRAPHILE_WORKER_SCHEMA._gwx_meta as m (feature, version, settings)
values ($1::text, $2::integer, $3::text::json)
on conflict (feature) do update set version = excluded.version, settings = excluded.settings
