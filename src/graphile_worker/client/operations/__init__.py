"""What the calls of `WorkerUtils` and `SyncWorkerUtils` do, written once for both.

An operation is a generator: it yields statements, gets their results sent in, and returns the
answer. It does no I/O, so the same one runs over every driver, with or without an event loop:
`database.operation` has the two loops that do the sending.
"""
