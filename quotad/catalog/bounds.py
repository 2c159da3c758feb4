"""How large a catalog may be, the same wherever one is read: checked, watched, published, compared.

What is too large is refused before the work that it would cost: its bytes before they are read, its
names and values before the text is parsed, its entitlements before inheritance is written out.
"""

import re
from collections.abc import Iterable

from quotad.catalog.problems import UnreadableError

BYTES_MAX = 16 * 1024 * 1024
"""Largest catalog, all of its files together; that of a real product is some kilobytes."""

TOO_LARGE = f"larger than {BYTES_MAX // 1024 // 1024} MiB, the most that a catalog may be in all"

VALUES_MAX = 1_000_000
"""Most values of one file, names included, with every alias of YAML written out."""

DOTS_MAX = 200
"""Most dots in one line of TOML."""

_DOTS_WORK_MAX = 5_000_000
"""Most work that dotted names of one TOML file may be: of each line, the square of its dots."""

_MANY_DOTS = re.compile(r"^[^\n.]*(?:\.[^\n.]*){5,}$", re.MULTILINE)
"""Lines with more dots than `[plans.pro.entitlements.api-calls]` has."""


def bytes_of(text: str) -> int:
    """Return the size of a text as UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def fit(texts: Iterable[str]) -> bool:
    """Whether the files of a catalog are not too large together."""
    return sum(map(bytes_of, texts)) <= BYTES_MAX


def check_json(text: str) -> None:
    """Refuse JSON that would become too many values, by a look at its punctuation.

    Raises:
        UnreadableError: it would.
    """
    if max(text.count(","), text.count(":")) > VALUES_MAX:
        raise UnreadableError(f"more than {VALUES_MAX:,} values")


def check_toml(text: str) -> None:
    """Refuse TOML that would become too many values, or takes too long to read.

    The time that tomllib takes for a dotted name grows with the square of its parts, and each part
    of a table's name becomes a separate mapping.

    Raises:
        UnreadableError: it would.
    """
    if max(text.count(","), text.count("="), text.count("[")) > VALUES_MAX:
        raise UnreadableError(f"more than {VALUES_MAX:,} values")
    work = 0
    for match in _MANY_DOTS.finditer(text):
        dots = match[0].count(".")
        work += dots * dots
        if dots > DOTS_MAX or work > _DOTS_WORK_MAX:
            line = text.count("\n", 0, match.start()) + 1
            most = f"more than {DOTS_MAX} dots" if dots > DOTS_MAX else "too many dotted names"
            raise UnreadableError(f"line {line}: TOML syntax: {most}")
