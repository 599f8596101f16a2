"""Jobs of workers that died: who is alive, who is not, and what becomes of their jobs.

`heartbeat` says that a worker is alive, `sweep` takes the jobs of those that fell silent, `sweeper`
does so again and again, `options` has the knobs.
"""
