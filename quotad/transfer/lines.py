"""Lines of a file -> numbered rows of JSON: as they are, or from CSV.

Every line stands for itself, so that a bad one spoils no other: a quoted cell cannot go over
several lines.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

import msgspec

from quotad.nearest import did_you_mean

LINE_BYTES_MAX = 1024 * 1024
"""Longest line that is read."""

COLUMNS = (
    "customer_id",
    "plan",
    "start",
    "end",
    "addons",
    "resource",
    "archived",
    "name",
    "unit_quantity",
    "email",
)
"""Of CSV; only the first two must be there."""

_REQUIRED = COLUMNS[:2]
_BOOLEANS = {"true": True, "false": False}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


class Form(Enum):
    """How a file is written."""

    JSONL = "jsonl"
    CSV = "csv"


class HeaderError(Exception):
    """The first line of a CSV file does not name its columns; the message names the column."""


class CellError(Exception):
    """One line of CSV cannot be a row, or one row cannot be a line; the message has the cause."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of the file."""

    number: int
    """The first is 1."""
    data: bytes
    """As it stands in the file, without its end; cut off if it is too long."""
    row: bytes
    """JSON; empty with a problem."""
    problem: str = ""
    """Why it is no row, as far as can be seen here."""


def numbered_rows(lines: Iterable[bytes | None], form: Form) -> Iterator[Line]:
    """Number the lines of a file and turn them into rows; empty ones are left out.

    Args:
        lines: without their ends; None stands for one that is too long.
        form: how they are written.

    Raises:
        HeaderError: the first line of CSV is not a header.
    """
    columns: list[str] | None = None
    for number, line in enumerate(lines, start=1):
        if line is None:
            yield Line(number, b"", b"", f"is longer than {LINE_BYTES_MAX:,} bytes")
            continue
        if not line.strip():
            continue
        if form is Form.JSONL:
            yield Line(number, line, line)
        elif columns is None:
            columns = _header(line)
        else:
            try:
                yield Line(number, line, _row(_cells(line), columns))
            except CellError as error:
                yield Line(number, line, b"", str(error))


def csv_header() -> str:
    """The first line of an export."""
    return ",".join(COLUMNS)


def csv_line(row: bytes) -> str:
    """A row as CSV.

    Raises:
        CellError: it has more than the columns can hold.
    """
    said = _decode(row)
    more = [key for key in said if key not in COLUMNS]
    if more:
        raise CellError(f"has {' and '.join(more)}")
    addons = said.pop("addons", None)
    cells = {key: _written(value) for key, value in said.items()}
    if isinstance(addons, dict):
        if any(";" in addon_id for addon_id in addons):
            raise CellError("has an add-on with a semicolon in its id")
        cells["addons"] = ";".join(f"{each}={quantity}" for each, quantity in addons.items())
    line = _Written()
    csv.writer(line, lineterminator="").writerow([cells.get(key, "") for key in COLUMNS])
    return line.text


class _Written:
    """A file of one line."""

    text = ""

    def write(self, text: str) -> None:
        self.text += text


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _header(line: bytes) -> list[str]:
    try:
        columns = _cells(line)
    except CellError as error:
        raise HeaderError(str(error)) from error
    for index, column in enumerate(columns):
        if column not in COLUMNS:
            hint = did_you_mean(column, COLUMNS, f"known: {', '.join(COLUMNS)}")
            raise HeaderError(f"unknown column {column[:60]!r}; {hint}")
        if column in columns[:index]:
            raise HeaderError(f"column {column!r} is there twice")
    missing = [column for column in _REQUIRED if column not in columns]
    if missing:
        raise HeaderError(f"no column {missing[0]!r}; the first line names the columns")
    return columns


def _cells(line: bytes) -> list[str]:
    try:
        (cells,) = csv.reader([line.decode()], strict=True)
    except UnicodeDecodeError as error:
        raise CellError("is not UTF-8") from error
    except csv.Error as error:
        raise CellError(f"is not CSV: {error}") from error
    return cells


def _row(cells: Sequence[str], columns: Sequence[str]) -> bytes:
    if len(cells) != len(columns):
        raise CellError(f"has {len(cells)} cells; the header has {len(columns)}")
    row: dict[str, object] = {key: text for key, text in zip(columns, cells, strict=True) if text}
    if "addons" in row:
        row["addons"] = _addons(str(row["addons"]))
    if "archived" in row:
        text = str(row["archived"])
        if text.lower() not in _BOOLEANS:
            raise CellError(f"archived: must be true or false, not {text[:60]!r}")
        row["archived"] = _BOOLEANS[text.lower()]
    if "unit_quantity" in row:
        row["unit_quantity"] = _number(str(row["unit_quantity"]))
    return _encode(row)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise CellError(f"unit_quantity: {text[:60]!r} is not a whole number")
    return int(text)


def _addons(text: str) -> dict[str, int]:
    pairs = [_addon(each) for each in text.split(";")]
    addons = dict(pairs)
    if len(addons) < len(pairs):
        raise CellError("addons: one of them is there twice")
    return addons


def _addon(text: str) -> tuple[str, int]:
    addon_id, equals, quantity = text.strip().rpartition("=")
    if not equals or not quantity.isascii() or not quantity.isdigit() or len(quantity) > 18:
        raise CellError(f"addons: {text[:60]!r} is not like more-calls=2; several go as a=1;b=2")
    return addon_id, int(quantity)
