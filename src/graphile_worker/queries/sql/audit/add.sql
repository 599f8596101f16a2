-- Writes down what somebody did; answers with the number of the entry.
insert into :GRAPHILE_WORKER_SCHEMA._gwx_audit (at, actor, action, target, result)
values ($1::timestamptz, $2::text, $3::text, $4::text::json, $5::text::json)
returning id
