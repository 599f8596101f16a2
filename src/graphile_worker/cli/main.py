"""The entry point, and the edge where every error becomes one line and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final, NoReturn, cast

import click

from graphile_worker.cli.commands import commands
from graphile_worker.errors import CrontabError, GraphileWorkerError

FAILED: Final = 1
USED_WRONGLY: Final = 2
INTERRUPTED: Final = 130

DEBUG: Final = "GRAPHILE_WORKER_DEBUG"


def main() -> NoReturn:
    """Run the command of this process's arguments, and exit."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # not a text file: somebody's test captures it
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; what becomes of it is its exit code."""
    as_json = "--json" in arguments
    try:
        code = commands.main(
            args=list(arguments),
            prog_name="graphile-worker",
            standalone_mode=False,
            obj=tuple(arguments),  # for commands that run themselves in other processes
        )
        sys.stdout.flush()
    except click.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        return _broken_pipe()
    except click.ClickException as error:
        return _report_usage(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 (the edge)
        return report(error, as_json=as_json)
    return code if isinstance(code, int) else 0


def report(error: BaseException, *, as_json: bool) -> int:
    """Say on stderr what went wrong, in one line; of a crontab, with the lines that are wrong."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    text = _text(error)
    _say(text, type(error).__name__, as_json=as_json)
    return FAILED


def _report_usage(error: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        _say(error.format_message(), "UsageError", as_json=True)
    else:
        error.show()
    return error.exit_code


def _text(error: BaseException) -> str:
    """The message of an error that we know; of others also what and where they are."""
    if isinstance(error, BaseExceptionGroup):
        exceptions = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return "; ".join(dict.fromkeys(map(_text, exceptions)))
    if isinstance(error, CrontabError):
        return str(error)  # with its carets, each below its place
    message = " ".join(str(error).split("\n")).strip()
    if isinstance(error, GraphileWorkerError):
        return message or type(error).__name__
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {message}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"unexpected {type(error).__name__}: {message}{place}; {DEBUG}=1 shows the traceback"


def _say(text: str, kind: str, *, as_json: bool) -> None:
    if as_json:
        from graphile_worker.cli.output import dumps  # noqa: PLC0415 (only here)

        text = dumps({"error": text, "type": kind})
    else:
        text = f"Error: {text}"
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def _broken_pipe() -> int:
    """The reader of our output has gone: keep Python from trying, and complaining, again at exit.

    Where click notices first, it does the same.
    """
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
