-- To all workers, also Node.js and Rust ones: there may be work. `r` keeps PostgreSQL from folding
-- equal notifications of one transaction.
select pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":' || $1::integer::text || '}')
