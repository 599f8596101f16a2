"""Texts as people type them."""

from __future__ import annotations

import click


def filled(text: str) -> str:
    """A text on the command line that is not empty: `click.option(type=filled)`.

    An empty one is mostly that of a shell variable that nobody set, and must not mean what others
    say, such as the database of `DATABASE_URL`.
    """
    if not text:
        raise click.BadParameter("must not be empty")
    return text
