"""Claimed jobs that wait in the worker for a slot: `WorkerOptions(local_queue=LocalQueueConfig())`.

The worker keeps its one claim loop. With a local queue each claim also asks for what the queue has
room for, so that a slot that becomes free starts its next job without asking the database:

    claimer ──► queue (waiting for a slot, in the order of the claims) ──► slots ──► releaser
       ▲          │ too few wait: claim more               ttl, shutdown: untouched │
       └──────────┘                                        jobs go back to the table┘

    STARTING → POLLING ⇄ WAITING → TTL_EXPIRED → POLLING …        from any: → RELEASED

    POLLING       nothing waits; the claim loop looks as it does without a local queue
    WAITING       jobs wait; it looks again when half of the room is free, or will be by the answer
    TTL_EXPIRED   a job waited for too long, so all that waited went back; nothing is claimed until
                  a slot is free
    RELEASED      the worker drains: all that waited went back, and so does what still arrives
"""
