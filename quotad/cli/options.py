"""Arguments that several commands share."""

import re
from itertools import islice
from typing import Annotated, Any

import typer
import typer.core

from quotad.cli import completion, tls

TIMEOUT_S = 5.0
"""A person waits longer than a service, and a first connection takes its time."""


def _named(server: str) -> str:
    from quotad.client import target

    if not server.strip():
        raise typer.BadParameter("name a server, such as 127.0.0.1:50051")
    try:
        return target.checked(server, secure=tls.is_chosen())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        envvar="QUOTAD_SERVER",
        metavar="HOST:PORT",
        callback=_named,
        help="Where the quotad server listens.",
    ),
]
SERVER_DEFAULT = "127.0.0.1:50051"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, errors too (stderr).")]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print a line of JSON for each, errors too (stderr).")
]

CustomerId = Annotated[
    str,
    typer.Argument(
        metavar="CUSTOMER", help="The customer's id.", autocompletion=completion.customers
    ),
]
FeatureId = Annotated[
    str,
    typer.Argument(
        metavar="FEATURE", help="A feature of the catalog.", autocompletion=completion.features
    ),
]

Resource = Annotated[
    str,
    typer.Option(
        "--resource", metavar="ID", help="A workspace or project of the customer's, by its id."
    ),
]
SubscriptionOption = Annotated[
    str, typer.Option("--subscription", metavar="ID", help="Which of several subscriptions.")
]
CommentOption = Annotated[
    str, typer.Option("--comment", metavar="TEXT", help="Why, for the history.")
]

IfEpoch = Annotated[
    int | None,
    typer.Option(
        "--if-epoch",
        metavar="N",
        help="Write only while the customer is at this epoch; 0: while it has no record.",
    ),
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--value", metavar="VALUE", help="Of a config feature: must be granted. May be repeated."
    ),
]


class NegativeNumbers(typer.core.TyperCommand):
    """A command whose arguments may be negative numbers: `quotad consume acme seats -2`.

    The parser takes `-2` for an option. If it ignored unknown options, a mistyped one would pass
    as an argument, so the arguments are moved behind `--` instead.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line of this command."""
        if any(_NEGATIVE.fullmatch(arg) for arg in args):
            args = self._arguments_last(args)
        return super().parse_args(ctx, args)

    def _arguments_last(self, args: list[str]) -> list[str]:
        takes_value = {
            name
            for param in self.params
            if isinstance(param, typer.core.TyperOption) and not param.is_flag
            for name in param.opts
        }
        options: list[str] = []
        arguments: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                arguments.extend(rest)
            elif arg in takes_value:
                options.extend([arg, *islice(rest, 1)])
            elif arg.startswith("-") and arg != "-" and not _NEGATIVE.fullmatch(arg):
                options.append(arg)
            else:
                arguments.append(arg)
        return [*options, "--", *arguments]


_NEGATIVE = re.compile(r"-\d+(\.\d+)?")

LatestOption = Annotated[
    int, typer.Option("--limit", metavar="N", help="Show so many; 100 are kept.")
]
"""Of lists of which the store keeps the latest."""

ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Why, kept among the corrections.")]

ActorOption = Annotated[str, typer.Option(metavar="NAME", help="Whose doing it is, kept there.")]
