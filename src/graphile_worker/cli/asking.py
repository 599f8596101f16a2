"""Questions before something that cannot be undone, where somebody is there to answer them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click

_SHOWN: Final = 10

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask, on a terminal either.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be touched.")


def somebody_answers(*, yes: bool) -> bool:
    """Whether to ask: a terminal to answer from and one to read on, and no `--yes`.

    Scripts are not asked, so that they need no flag to go on as they always did.
    """
    return not yes and sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, about: Sequence[str] = ()) -> None:
    """Ask on stderr; stdout is for answers.

    Not to be called on an event loop, which would keep Ctrl-C from ending the question.

    Args:
        question: without its mark.
        about: what will be touched, a line each; of many only the first ones are shown.

    Raises:
        click.exceptions.Exit: the answer is no; exit code 1.
        click.Abort: Ctrl-C.
    """
    for line in about[:_SHOWN]:
        click.echo(f"  {line}", err=True)
    if len(about) > _SHOWN:
        click.echo(f"  … and {len(about) - _SHOWN} more", err=True)
    if not click.confirm(f"{question}?", err=True):
        click.echo("Nothing was changed", err=True)
        raise click.exceptions.Exit(1)
