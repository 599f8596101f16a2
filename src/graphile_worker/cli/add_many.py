"""`graphile-worker add --from-ndjson`."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from graphile_worker.cli.add_progress import progress
from graphile_worker.cli.database import with_utils
from graphile_worker.cli.line_source import LineSource, open_lines
from graphile_worker.cli.ndjson import LineReader
from graphile_worker.cli.output import warn
from graphile_worker.cli.settings import Settings
from graphile_worker.client.worker_utils import WorkerUtils
from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.jobs.new_job import NewJob


def add_many(settings: Settings, path: str, reader: LineReader, *, chunk_size: int) -> int:
    """Add a job for each line, in transactions of `chunk_size`; their number.

    Where it ends early, stderr says how many were added.

    Raises:
        ConfigurationError: the file cannot be read, or a line is no job; the chunks before it are
            stored.
        DatabaseError: as `WorkerUtils.add_jobs_stream`.
    """
    with open_lines(path) as source:
        return _add(settings, source, _jobs(source, reader), chunk_size)


def _add(
    settings: Settings, source: LineSource, jobs: AsyncGenerator[NewJob], chunk_size: int
) -> int:
    stored = 0

    async def add(utils: WorkerUtils) -> int:
        with progress(source.size) as display:

            def on_stored(count: int) -> None:
                nonlocal stored
                stored = count
                display.show(source.bytes_read, count)

            return await utils.add_jobs_stream(jobs, chunk_size=chunk_size, on_stored=on_stored)

    try:
        return with_utils(settings, add)
    except BaseException:
        if stored:
            warn(f"{stored} job(s) were added before it ended", as_json=settings.json, added=stored)
        raise


async def _jobs(source: LineSource, reader: LineReader) -> AsyncGenerator[NewJob]:
    async for line in source.lines():
        try:
            job = reader.job(line)
        except (ConfigurationError, PayloadError) as error:
            raise ConfigurationError(f"{source.name}, line {source.number}: {error}") from error
        if job is not None:
            yield job
