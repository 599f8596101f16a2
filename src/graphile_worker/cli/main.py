"""The entry point, and the edge where every error becomes one line and an exit code."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, TypeAlias, cast

import click

from graphile_worker.cli.commands import commands
from graphile_worker.errors import CrontabError, GraphileWorkerError

FAILED: Final = 1
USED_WRONGLY: Final = 2
INTERRUPTED: Final = 130

DEBUG: Final = "GRAPHILE_WORKER_DEBUG"

SUPERVISED: Final = "GRAPHILE_WORKER_SUPERVISED"
"""Set where `run --processes` started this: then it has said already what there is to say."""

_SIGNS: Final = ("@", "password", "-token")
"""Where none of them is, no argument holds a secret: most commands need not look closer."""

Hide: TypeAlias = Callable[[str], str]
"""Takes the secrets of the command line out of a text."""


def main() -> NoReturn:
    """Run the command of this process's arguments, and exit."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # not a text file: somebody's test captures it
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    _hear_of_children()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; what becomes of it is its exit code."""
    as_json = "--json" in arguments
    hide = _warned_of(arguments, as_json=as_json)
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
        return _report_usage(error, hide, as_json=as_json)
    except Exception as error:  # noqa: BLE001 (the edge)
        return _report(error, hide, as_json=as_json)
    return code if isinstance(code, int) else 0


def _hear_of_children() -> None:
    """A starter that ignored SIGCHLD made us do so too, and no exit code would ever be known."""
    if sys.platform != "win32":
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _warned_of(arguments: Sequence[str], *, as_json: bool) -> Hide:
    """Warn of a password among the arguments, and answer with what hides it."""
    if not any(sign in argument.lower() for argument in arguments for sign in _SIGNS):
        return str
    from graphile_worker.cli.output import warn  # noqa: PLC0415 (only here)
    from graphile_worker.cli.secrets_given import SecretsGiven  # noqa: PLC0415

    secrets = SecretsGiven.among(arguments)
    warning = secrets.warning()
    if warning is not None and not os.environ.get(SUPERVISED):
        warn(warning, as_json=as_json)
    return secrets.hide


def _report(error: BaseException, hide: Hide, *, as_json: bool) -> int:
    """Say on stderr what went wrong, in one line; of a crontab, with the lines that are wrong."""
    if os.environ.get(DEBUG):
        print(hide("".join(traceback.format_exception(error))), file=sys.stderr, end="")  # noqa: T201
    _say(hide(_text(error)), type(error).__name__, as_json=as_json)
    return FAILED


def _report_usage(error: click.ClickException, hide: Hide, *, as_json: bool) -> int:
    if as_json:
        _say(hide(error.format_message()), "UsageError", as_json=True)
    else:
        shown = io.StringIO()
        error.show(shown)
        click.echo(hide(shown.getvalue()), err=True, nl=False)
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
