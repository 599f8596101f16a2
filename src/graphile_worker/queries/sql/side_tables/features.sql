-- What the ledger says.
select m.feature, m.version, m.settings::text from :GRAPHILE_WORKER_SCHEMA._gwx_meta as m order by m.feature
