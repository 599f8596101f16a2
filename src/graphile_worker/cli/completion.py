"""`graphile-worker completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from graphile_worker.cli.examples import examples
from graphile_worker.cli.settings import Command


@click.command("completion", cls=Command, epilog=examples("completion bash"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that completes commands in a shell.

    Options and their values, and names of tasks, queues and workers from the
    database that DATABASE_URL or the options before name.

    In ~/.bashrc: eval "$(graphile-worker completion bash)"; the same with zsh in
    ~/.zshrc. Of fish the output goes to
    ~/.config/fish/completions/graphile-worker.fish.
    """
    completion = get_completion_class(shell)
    root = context.find_root()
    name = root.info_name or "graphile-worker"
    if completion is None:
        raise click.UsageError(f"there is no completion for {shell}")
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    click.echo(completion(root.command, {}, name, variable).source())
