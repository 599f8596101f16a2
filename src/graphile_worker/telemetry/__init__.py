"""What watches a worker from outside: each is a plugin or a part of a logging set-up.

`logs` and `event_log` need nothing, `prometheus` and `opentelemetry` an extra of their name. Other
packages do not know of them; they know of the events in `hooks`.
"""
