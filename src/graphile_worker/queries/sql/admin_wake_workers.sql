-- Tells workers that there is something to do, as adding jobs does: what makes jobs due again does
-- not, and they would wait until the next poll.
select pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":' || $1::bigint::text || '}')
