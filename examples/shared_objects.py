"""What handlers share, such as an HTTP client, is given to the worker and asked for by its type."""

import asyncio
import os

from graphile_worker import WorkerContext, WorkerOptions, task

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


class Mailer:
    """Stands for a client that is opened once."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, to: str) -> None:
        """Send, or pretend to."""
        self.sent.append(to)


@task
async def send_email(payload: str, ctx: WorkerContext) -> None:
    await ctx.get_ext(Mailer).send(payload)


async def main() -> None:
    mailer = Mailer()
    options = WorkerOptions(database_url=DATABASE_URL, tasks=[send_email], extensions=[mailer])
    async with options.init() as worker:
        await worker.create_utils().add_jobs(send_email, ["ada", "bob"])
        await worker.run_once()
    print("sent to", sorted(mailer.sent))


if __name__ == "__main__":
    asyncio.run(main())
