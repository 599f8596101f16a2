"""What others are told of a worker's doings, and asked about.

An *observer* event tells that something happened; its handlers run beside each other, and nobody
waits for what they think. An *interceptor* event asks, before something happens; its handlers are
asked one after the other, and the first that has an opinion decides.

    HookRegistry ──(worker starts)──► Hooks: one attribute an event, None where nobody listens
         ▲                              │
    Plugin.register                     ▼
                     fetch → BeforeJobRun? → JobStart → handler → AfterJobRun? → stored → one of
                     JobComplete, JobFail, JobPermanentlyFail, JobInterrupted, JobSnoozed, JobLost

A handler that raises or hangs never takes the worker down: it is logged by its name.
"""
