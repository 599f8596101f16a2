"""`./dev chaos`: workers under load, while everything around them breaks.

A campaign starts a PostgreSQL of its own, a proxy in front of it, and several worker processes
behind the proxy. It adds jobs, injects faults by a seeded plan, and in the end proves from the
database what may not happen: a job lost or stuck, an effect of a transactional job twice, two jobs
of a queue at once, an attempt that nobody made.
"""
