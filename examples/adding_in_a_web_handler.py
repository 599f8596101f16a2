"""A web program adds jobs; it needs neither the handlers nor a worker of its own.

No framework here: `lifespan` and `sign_up` have the shape they have in any of them.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from graphile_worker import JobSpec, WorkerOptions, WorkerUtils, task, task_ref

# Without a folder, every `embedded:?temporary` would be a server of its own.
FOLDER = Path(tempfile.gettempdir(), f"graphile-worker-example-{os.getpid()}")
DATABASE_URL = os.environ.get("DATABASE_URL", f"embedded://{FOLDER}?temporary")


@dataclass
class Welcome:
    email: str


# -- the web program -----------------------------------------------------------------------------

# The name and the payload type are all that a producer has to know of a task.
send_welcome = task_ref("send_welcome", Welcome, spec=JobSpec(max_attempts=10))


@asynccontextmanager
async def lifespan() -> AsyncGenerator[WorkerUtils]:
    """One pool for the whole program, opened when it starts and closed when it ends."""
    async with WorkerUtils.connect(DATABASE_URL, max_pg_conn=5) as utils:
        yield utils


async def sign_up(utils: WorkerUtils, email: str) -> dict[str, int]:
    """Handle a request. The key makes a repeated request, or a repeated click, harmless."""
    job = await utils.add_job(send_welcome, Welcome(email), JobSpec(job_key=f"welcome:{email}"))
    return {"status": 202, "job": job.id}


# -- the worker, commonly another program --------------------------------------------------------


@task("send_welcome")
async def deliver(payload: Welcome) -> None:
    print("welcome,", payload.email)


async def main() -> None:
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[deliver])
    async with options.init() as worker:  # creates the schema, which the web program needs
        async with lifespan() as utils:
            answers = [await sign_up(utils, "ada@example.com") for _ in range(2)]
        print("statuses:", [answer["status"] for answer in answers])
        print("one job:", answers[0] == answers[1])
        await worker.run_once()


if __name__ == "__main__":
    asyncio.run(main())
