"""What a job is: frozen values, no I/O.

`Job` is a row as PostgreSQL holds it, `JobSpec` says when and how a job runs, `NewJob` is a job
ready to be inserted, `JobDefinition` is all that a producer needs to know of a task.
"""
