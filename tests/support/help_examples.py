"""The examples that the help of a command ends with."""

from __future__ import annotations

import re
import shlex

import click

from graphile_worker.cli.commands import commands


def examples_of(*names: str) -> list[list[str]]:
    """Their arguments, without the program's name; of `crontab check` by both of its words."""
    context, command = click.Context(commands), commands
    for name in names:
        found = command.get_command(context, name)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=name)
    lines = re.findall(r"^  +graphile-worker (.*)$", command.epilog or "", re.MULTILINE)
    return [shlex.split(line) for line in lines]
