"""How things look: tables and words for a person, JSON for a program.

On a terminal tables have colours and fit its width; in a pipe they are plain and nothing wraps.
"""

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

PIPE_WIDTH = 100_000
"""Columns of a pipe: wide enough that nothing wraps."""

Cell = str | tuple[str, str]
"""What stands in a table: a text, or a text and its style."""

_PLAIN_TEXT = re.compile(r"[A-Za-z][\w ./+-]*(?<! )|[1-9][0-9]* [a-z]+")
_AMOUNTS = ("limit", "add", "set")
_CONSTANTS = {"true", "false", "yes", "no", "on", "off", "null"}


def print_json(value: object) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(as_json(value), indent=2, ensure_ascii=False))


def as_json(value: Any) -> Any:
    """A typed result as JSON knows it.

    Field names stay those of the API. Enums become their words, times RFC 3339 in UTC, durations
    seconds.
    """
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    fields = getattr(value, "__struct_fields__", None)
    if fields is not None:
        return {field: as_json(getattr(value, field)) for field in fields}
    return value


def console(*, stderr: bool = False) -> "Console":
    """Where people read; rich sees by itself whether it is a terminal and honours NO_COLOR."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # No markup: an id may hold square brackets.
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else PIPE_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
    )


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> None:
    """Print a table; a column whose name starts with `>` is of numbers, to the right."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        numbers = column.startswith(">")
        # A narrow terminal may fold words, never numbers; nothing is ever cut off.
        table.add_column(
            column.lstrip(">"),
            justify="right" if numbers else "left",
            no_wrap=numbers,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(each if isinstance(each, str) else Text(*each) for each in row))
    _print(Padding(table, (0, 0, 0, indent)))


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one per line."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(f"  {name}", value)
    _print(table)


def print_line(text: str, style: str = "") -> None:
    """Print one line, in one style."""
    console().print(text, style=style, soft_wrap=True)


def print_headline(verdict: str, style: str, text: str) -> None:
    """Print a coloured verdict and what it is about."""
    from rich.text import Text

    console().print(Text.assemble((verdict, f"bold {style}"), "  ", text), soft_wrap=True)


def number(value: int) -> str:
    """With thousands separators."""
    return f"{value:,}"


def amount(value: int, decimals: int = 0) -> str:
    """With thousands separators; of a credit pool with all its places: `1,250.00`."""
    return f"{Decimal(value).scaleb(-decimals):,f}"


def entitlement(value: object) -> str:
    """An entitlement as a catalog spells it, on one line of YAML: `{limit: 5000, per: month}`."""
    if isinstance(value, dict):
        limits = value.get("limits")
        if len(value) == 1 and isinstance(limits, list) and len(limits) == 1:
            return entitlement(limits[0])  # the same value
        # What a person looks for first.
        names = sorted(value, key=lambda name: (name not in _AMOUNTS, name != "per", name))
        return "{" + ", ".join(f"{entitlement(n)}: {entitlement(value[n])}" for n in names) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(entitlement(each) for each in value) + "]"
    if isinstance(value, str) and _PLAIN_TEXT.fullmatch(value) and value.lower() not in _CONSTANTS:
        return value
    return json.dumps(value, ensure_ascii=False)


def moment(at: datetime | None, absent: str = "never") -> str:
    """A time of day here, and how far away it is: `2026-06-01 02:00 CEST (in 3 h)`."""
    if at is None:
        return absent
    try:
        local = at.astimezone()
    except OverflowError:  # it is the year 10000 here already
        local = at
    clock = "%H:%M:%S" if local.second else "%H:%M"
    return f"{local.strftime(f'%Y-%m-%d {clock} %Z')} ({distance(at - datetime.now(UTC))})"


def distance(span: timedelta) -> str:
    """`in 3 h`, `2 d ago`."""
    if span < timedelta():
        return f"{duration(-span)} ago"
    return f"in {duration(span)}"


def duration(span: timedelta) -> str:
    """In the largest unit that leaves at least two of it: `90 s`, `3 h`, `12 d`."""
    seconds = span.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"


def _print(table: "Table | Padding") -> None:
    target = console()
    if target.is_terminal:
        target.print(table)
        return
    # rich fills every row up to the width of its column; a pipe has no use for the blanks.
    with target.capture() as captured:
        target.print(table)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())
