"""What is measured, each in a process of its own: `python -m bench.programs.NAME ROLE URL OPTIONS`.

Roles: `install` makes the tables, `fill` adds jobs, `work` runs jobs that do nothing, `latency`
tells when each job starts, `enqueue` measures adding. They tell of themselves on standard output,
one line an event: `first NS`, `last NS`, `start NS`, `count NS N`, `rate KIND JOBS_A_SECOND`.
NS is the monotonic clock in nanoseconds, which all processes of a machine share.
"""
