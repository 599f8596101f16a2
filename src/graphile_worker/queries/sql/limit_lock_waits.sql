-- Others queue up behind a lock that is waited for, so the wait is bounded. For this transaction.
select set_config('lock_timeout', $1::text, true)
