"""Recurring jobs: what a crontab says, when it is due, and the loop that adds the jobs.

```text
 crontab text ── parser ──┐                       ┌── register: which entries are known
                          ├─► Crontab ─► Agenda ──┤
 Cron builder ── build() ─┘   (a value)  (what is └── schedule: one statement a minute, which
                                          owed)       marks the entries and adds their jobs
```

An entry is known by its identifier. Its row in `_private_known_crontabs` is the lock that all
workers share, those of Node.js and Rust included: whoever moves `last_execution` forward to a
minute adds the job of that minute, in the same statement. So a minute has one job, however many
workers look at it, and a minute that is tried again, after a lost answer, has no second one.

Everything but `clock` and `scheduler` is pure.
"""
