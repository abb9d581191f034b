"""`restoretk completion`: commands, options and their choices at the touch of the tab key."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """\b
    Examples:
      restoretk completion bash >> ~/.bashrc
      restoretk completion zsh >> ~/.zshrc
      restoretk completion fish > ~/.config/fish/completions/restoretk.fish

    Print the script that completes commands, options and their choices in a shell. bash must be of version 4.4 or later.
    """  # noqa: D301 - \b is click's mark for lines to leave as they are
    made_by = get_completion_class(shell)
    if made_by is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    # BashComplete.source() would start a bash to ask for its version; the script itself needs none of that.
    script = made_by(ctx.find_root().command, {}, "restoretk", "_RESTORETK_COMPLETE")
    click.echo(script.source_template % script.source_vars())
