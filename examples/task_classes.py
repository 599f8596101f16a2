"""A class whose fields are the payload, with its own handler."""

import asyncio
import os
from dataclasses import dataclass
from typing import ClassVar

from graphile_worker import WorkerContext, WorkerOptions

DATABASE_URL = os.environ.get("DATABASE_URL", "embedded:?temporary")


@dataclass
class Resize:
    IDENTIFIER: ClassVar[str] = "resize"

    path: str
    width: int

    async def run(self, ctx: WorkerContext) -> None:
        """Run the job whose payload this object is."""
        print(f"{ctx.job.task_identifier}: {self.path} to {self.width} pixels")


async def main() -> None:
    async with WorkerOptions(database_url=DATABASE_URL, tasks=[Resize]).init() as worker:
        await worker.create_utils().add_job(Resize, Resize("cat.png", width=640))
        await worker.run_once()


if __name__ == "__main__":
    asyncio.run(main())
