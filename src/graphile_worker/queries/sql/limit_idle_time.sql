-- A program that is stopped within a transaction keeps what it has locked; the server ends it after
-- this time. For this transaction.
select set_config('idle_in_transaction_session_timeout', $1::text, true)
