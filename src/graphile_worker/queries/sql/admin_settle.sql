-- How the statements of this transaction are run: it only reads, and ends when it takes too long.
-- Plans are made for the values at hand: an optional filter that is not given then costs nothing, and
-- one that is given finds its index. To compile such a plan takes longer than to run it. Groups are
-- estimated to be far more than they are, and would be sorted on disk where memory is scarce.
select
  set_config('transaction_read_only', case when $1::boolean then 'on' else 'off' end, true),
  set_config('statement_timeout', $2::integer::text, true),
  set_config('lock_timeout', '1000', true),
  set_config('idle_in_transaction_session_timeout', '10000', true),
  set_config('plan_cache_mode', 'force_custom_plan', true),
  set_config('jit', 'off', true),
  set_config(
    'work_mem',
    (greatest(pg_size_bytes(current_setting('work_mem')), 33554432) / 1024)::text || 'kB',
    true
  )
