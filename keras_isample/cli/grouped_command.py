"""A command with many options, whose help comes in groups."""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import click

_ALL = "keras_isample.help_all"
"""Where a context keeps that all options are shown."""


class GroupedCommand(click.Command):
    """Shows a few options with `--help`, and all of them with `--help-all`.

    Args:
        groups: Titles to names of parameters, in their order. Those without a
            group come last.
        first: Names of the parameters that `--help` shows.
        options: Those of a `click.Command`.
    """

    def __init__(
        self,
        *args: Any,
        groups: Mapping[str, Collection[str]],
        first: Collection[str],
        **options: Any,
    ):
        super().__init__(*args, **options)
        self.groups = groups
        self.first = first
        self.params.append(
            click.Option(
                ["--help-all"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_all,
                help=f"Show all {len(self.params)} options.",
            )
        )

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Writes the options that are asked for, group by group."""
        for title, parameters in self._groups(ctx):
            found = [parameter.get_help_record(ctx) for parameter in parameters]
            records = [record for record in found if record]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def _groups(self, ctx) -> Iterator[tuple[str, list[click.Parameter]]]:
        shows_all = ctx.meta.get(_ALL, False)
        left = {parameter.name: parameter for parameter in self.get_params(ctx)}
        for title, names in self.groups.items():
            members = {name: left.pop(name) for name in names}
            yield (
                title,
                [p for n, p in members.items() if shows_all or n in self.first],
            )
        yield "Help", list(left.values())


def _show_all(ctx, parameter, value):
    if value and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()
