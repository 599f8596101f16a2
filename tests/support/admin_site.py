"""The pages of the admin application over a test's database, and a queue worth looking at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import uvicorn
from support.admin_app import admin
from support.running import until

from graphile_worker.admin import Identity, create_admin_app
from graphile_worker.admin.app import AdminApp


@dataclass
class Door:
    """Who comes in, and whether anybody does."""

    identity: Identity = field(default_factory=lambda: Identity.of("alice", "admin"))
    is_open: bool = True

    def __call__(self, _scope: object) -> Identity | None:
        return self.identity if self.is_open else None


@asynccontextmanager
async def browsing(url: str, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the pages, without a server."""
    async with admin(url, **{"auth": Door(), "environment": "production", **options}) as client:
        yield client


@asynccontextmanager
async def serving(url: str, **options: Any) -> AsyncIterator[tuple[str, Door, AdminApp]]:
    """A server of the pages on a free port: its address, who may come in, what is served."""
    door = Door()
    app = create_admin_app(url, **{"auth": door, "environment": "production", **options})
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())

    async def has_started() -> bool:
        return server.started

    await until(has_started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/", door, app
    finally:
        app.pages.stop()
        server.should_exit = True
        await running


async def fill(connection: asyncpg.Connection) -> None:
    """Jobs in every state, queues that are free, busy and paused, workers that live and do not."""
    await connection.execute(JOBS)


JOBS = """
select graphile_worker.add_job('send_email', json_build_object('to', 'u' || n || '@example.com', 'template', 'welcome', 'api_key', 'sk-' || n))
from generate_series(1, 40) n;
select graphile_worker.add_job('sync_crm', json_build_object('account', n), run_at := now() + n * interval '17 minutes')
from generate_series(1, 60) n;
select graphile_worker.add_job('charge_card', json_build_object('order_id', 99120 + n, 'card', '4111 1111 1111 1111', 'amount', 4200), queue_name := 'billing', job_key := 'order:' || (99120 + n))
from generate_series(1, 12) n;
select graphile_worker.add_job('render_pdf', json_build_object('document', n))
from generate_series(1, 25) n;
select graphile_worker.add_job('rebuild_index', '{"full": true}', queue_name := 'search');
update graphile_worker._private_jobs set run_at = now() - interval '42 minutes', created_at = now() - interval '42 minutes'
where task_id = (select id from graphile_worker._private_tasks where identifier = 'render_pdf');
update graphile_worker._private_jobs set attempts = max_attempts, created_at = now() - interval '4 days',
  run_at = now() - (id % 50) * interval '1 minute' + interval '6 hours', updated_at = now() - interval '4 days',
  last_error = case when id % 3 = 0 then E'TimeoutError: upstream 502 after 30 s\\n  File "/app/lib/crm.py", line 41, in call' else E'PaymentDeclined: insufficient funds for order ' || id || E'\\n  File "/app/tasks/billing.py", line 88, in charge_card\\n    await stripe.charge(order)' end
where id in (select id from graphile_worker._private_jobs where task_id in (select id from graphile_worker._private_tasks where identifier in ('charge_card', 'send_email')) order by id limit 30);
update graphile_worker._private_jobs set attempts = 3, run_at = now() + (id % 9 + 1) * interval '1 minute', last_error = 'TimeoutError: upstream 502 after 30 s'
where id in (select id from graphile_worker._private_jobs where task_id = (select id from graphile_worker._private_tasks where identifier = 'sync_crm') order by id limit 15);
update graphile_worker._private_jobs set locked_at = now() - interval '3 minutes', locked_by = 'graphile_worker_py_7f3a', attempts = 1
where id in (select min(id) from graphile_worker._private_jobs where attempts = 0 and task_id = (select id from graphile_worker._private_tasks where identifier = 'charge_card'))
  or id in (select id from graphile_worker._private_jobs where attempts = 0 and task_id = (select id from graphile_worker._private_tasks where identifier = 'send_email') order by id limit 3);
update graphile_worker._private_job_queues set locked_at = now() - interval '3 minutes', locked_by = 'graphile_worker_py_7f3a' where queue_name = 'billing';
update graphile_worker._private_job_queues set locked_at = '9999-12-31', locked_by = 'paused:alice' where queue_name = 'search';
update graphile_worker._private_jobs set locked_at = now() - interval '5 hours', locked_by = 'worker-old', attempts = 2
where id in (select max(id) from graphile_worker._private_jobs where task_id = (select id from graphile_worker._private_tasks where identifier = 'send_email'));
insert into graphile_worker._private_workers (id, last_heartbeat_at, started_at, metadata) values
  ('graphile_worker_py_7f3a', now(), now() - interval '5 hours', '{"kind": "python", "host": "web-3", "pid": 4711, "version": "0.1.0", "concurrency": 10, "tasks": ["send_email", "charge_card", "sync_crm", "rebuild_index"], "crons": ["nightly"]}'),
  ('worker-old', now() - interval '2 hours', now() - interval '9 hours', '{"kind": "python", "host": "web-1", "pid": 12, "version": "0.1.0", "concurrency": 10, "tasks": ["send_email"]}');
insert into graphile_worker._private_known_crontabs (identifier, known_since, last_execution) values
  ('nightly', now() - interval '30 days', now() - interval '7 hours');
"""
