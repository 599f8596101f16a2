"""The engine: claim → run → release.

    LISTEN, poll, a freed queue ──▶ Wakeup ──▶ Claimer ──▶ Slots ──▶ JobRunner ──▶ Releaser
                                                  ▲           │ a task a job          │
                                                  └───────────┴── room again ◀────────┘

One claim loop asks for as many jobs as there are free slots. Each job runs in an asyncio task of
its own. What became of it is put to the releaser, which sends all that piled up while its last
statement was under way in the next one. `Worker` starts these, and stops them in order.
"""
