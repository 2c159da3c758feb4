"""What tests of the command line share; its fixtures are in conftest.py."""

from collections.abc import Callable

from typer.testing import Result

Run = Callable[..., Result]
"""Runs `quotad` with these arguments."""


def words(result: Result) -> list[str]:
    """What was printed, without the blanks of its layout."""
    return [" ".join(line.split()) for line in result.stdout.splitlines()]
