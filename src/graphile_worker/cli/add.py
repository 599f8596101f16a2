"""`graphile-worker add`."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypedDict, Unpack

import click

from graphile_worker.cli.database import with_utils
from graphile_worker.cli.examples import examples
from graphile_worker.cli.instants import run_at
from graphile_worker.cli.job_json import job_json
from graphile_worker.cli.output import one_line, print_json
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.cli.suggestions import suggest_queues, suggest_tasks
from graphile_worker.errors import ConfigurationError, PayloadError
from graphile_worker.jobs.definition import task_ref
from graphile_worker.jobs.spec import SMALLINT, JobKeyMode, JobSpec, check_identifier
from graphile_worker.payloads.codec import from_json, to_json

_CHUNK_SIZE: Final = 5000
_KEY_MODES = {mode.value.replace("_", "-"): mode for mode in JobKeyMode}


class Given(TypedDict):
    """The options; None or () where one was not given."""

    payload: str | None
    payload_file: str | None
    queue: str | None
    run_at: datetime | timedelta | None
    max_attempts: int | None
    key: str | None
    job_key_mode: str | None
    priority: int | None
    flags: tuple[str, ...]
    from_ndjson: str | None
    chunk_size: int | None


@click.command(
    "add",
    cls=Command,
    epilog=examples(
        """add send_email --payload '{"to": "ada@example.com"}' --run-at +5m""",
        "add send_email --payload-file payload.json --key welcome",
        "add send_email --from-ndjson payloads.ndjson",
        "add --from-ndjson jobs.ndjson",
    ),
)
@click.argument("identifier", metavar="[TASK]", required=False, shell_complete=suggest_tasks)
@click.argument("more", metavar="", nargs=-1)
@click.option("--payload", metavar="JSON", help="What the job is given. [default: {}]")
@click.option("--payload-file", metavar="PATH", help="The same from a file; - for stdin.")
@click.option(
    "--queue",
    metavar="NAME",
    shell_complete=suggest_queues,
    help="Jobs of one queue run one after the other.",
)
@click.option(
    "--run-at",
    metavar="TIME",
    type=run_at,
    help="Not before: RFC 3339, now, or +5m from now. [default: now]",
)
@click.option(
    "--max-attempts",
    metavar="N",
    type=click.IntRange(1, SMALLINT.stop - 1),
    help="How often it is tried. [default: 25]",
)
@click.option("--key", help="Names the job: adding it again changes it.")
@click.option(
    "--job-key-mode",
    type=click.Choice(list(_KEY_MODES)),
    help="What adding with an existing key does. [default: replace]",
)
@click.option(
    "--priority",
    metavar="N",
    type=click.IntRange(SMALLINT.start, SMALLINT.stop - 1),
    help="Lower numbers run first. [default: 0]",
)
@click.option("--flag", "flags", multiple=True, help="A mark of the job; may be repeated.")
@click.option(
    "--from-ndjson",
    metavar="PATH",
    help="Add a job for each line of a file, or of stdin (-): with TASK a line is a payload, "
    "without a job.",
)
@click.option(
    "--chunk-size",
    metavar="N",
    type=click.IntRange(1, 100_000),
    help="So many of its lines are one transaction. [default: 5000]",
)
@click.pass_context
def command(
    context: click.Context, identifier: str | None, more: tuple[str, ...], **given: Unpack[Given]
) -> None:
    """Add a job.

    TASK is the identifier of its task; no worker needs to know it yet.

    With --from-ndjson many, in flat memory. A line without TASK is an object:
    `identifier`, `payload`, `queue_name`, `run_at`, `max_attempts`, `job_key`,
    `job_key_mode`, `priority`, `flags`; the options say what it leaves out.
    """
    if more:
        raise click.UsageError(f"unexpected argument {more[0]!r}; a payload is given by --payload")
    settings = Settings.of(context)
    if given["from_ndjson"] is not None:
        _add_many(settings, given["from_ndjson"], identifier, given)
        return
    if identifier is None:
        raise click.UsageError("Missing argument 'TASK'.")
    _add_one(settings, identifier, given)


def _add_one(settings: Settings, identifier: str, given: Given) -> None:
    if given["chunk_size"] is not None:
        raise click.UsageError("--chunk-size needs --from-ndjson")
    if given["payload"] is not None and given["payload_file"] is not None:
        raise click.UsageError("give either --payload or --payload-file, not both")
    if given["job_key_mode"] is not None and given["key"] is None:
        raise click.UsageError("--job-key-mode needs --key")
    with _used_wrongly():
        spec = _spec(given)
        task = task_ref(identifier, Any)
    value = _payload(given["payload"], given["payload_file"])
    job = with_utils(settings, lambda utils: utils.add_job(task, value, spec))
    if settings.json:
        print_json(job_json(job))
    else:
        click.echo(f"Added job {job.id} for task `{one_line(job.task_identifier)}`")


def _add_many(settings: Settings, path: str, identifier: str | None, given: Given) -> None:
    one = {
        "--payload": given["payload"],
        "--payload-file": given["payload_file"],
        "--key": given["key"],
        "--job-key-mode": given["job_key_mode"],
    }
    for option, value in one.items():
        if value is not None:
            raise click.UsageError(f"{option} is for one job; --from-ndjson adds many")
    from graphile_worker.cli.add_many import add_many  # noqa: PLC0415 (seldom needed)
    from graphile_worker.cli.ndjson import LineReader  # noqa: PLC0415

    with _used_wrongly():
        task = None if identifier is None else check_identifier(identifier)
        reader = LineReader(task, _spec(given))
    added = add_many(settings, path, reader, chunk_size=given["chunk_size"] or _CHUNK_SIZE)
    if settings.json:
        print_json({"added": added})
    else:
        click.echo(f"Added {added} job(s)")


@contextmanager
def _used_wrongly() -> Generator[None]:
    """What the options say, the database would refuse."""
    try:
        yield
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None


def _spec(given: Given) -> JobSpec:
    mode = given["job_key_mode"]
    return JobSpec(
        queue_name=given["queue"],
        run_at=given["run_at"],
        max_attempts=given["max_attempts"],
        job_key=given["key"],
        job_key_mode=None if mode is None else _KEY_MODES[mode],
        priority=given["priority"],
        flags=given["flags"] or None,
    )


def _payload(text: str | None, path: str | None) -> Any:
    """The JSON value; a missing one is `{}`, as in SQL."""
    if path is not None:
        text = _read(path)
    if text is None:
        return {}
    try:
        value = from_json(text)
        to_json(value)  # reading is lenient: what others stored must be shown
    except PayloadError as error:
        raise PayloadError(f"payload must be valid JSON: {error}") from error
    return value


def _read(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PayloadError(f"payload must be valid JSON: `{path}` is not UTF-8") from None
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(f"failed to read payload file `{path}`: {reason}") from error
