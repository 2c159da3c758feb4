"""Writes rows to a file, as they are or as CSV. A file is there only once it is whole."""

import gzip
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from quotad.files import whole_file
from quotad.transfer.lines import CellError, Form, csv_header, csv_line


class LeftOut(msgspec.Struct, frozen=True):
    """A customer that CSV cannot hold."""

    customer_id: str
    problem: str


class _Customer(msgspec.Struct):
    customer_id: str


_customer_of = msgspec.json.Decoder(_Customer).decode


def write_rows(
    rows: Iterable[bytes], stream: BinaryIO, form: Form, on_row: Callable[[int, int], None]
) -> tuple[int, list[LeftOut]]:
    """Write every row as a line; returns how many were, and the customers left out.

    Args:
        rows: one JSON object each.
        stream: to write to.
        form: how.
        on_row: called with the number of rows and of those left out so far, in this thread.
    """
    left_out: list[LeftOut] = []
    count = 0
    if form is Form.CSV:
        stream.write(csv_header().encode() + b"\n")
    for row in rows:
        if form is Form.CSV:
            try:
                row = csv_line(row).encode()
            except CellError as error:
                left_out.append(LeftOut(_customer_of(row).customer_id, str(error)))
                continue
        stream.write(row + b"\n")
        count += 1
        on_row(count, len(left_out))
    return count, left_out


@contextmanager
def rows_file(path: Path) -> Iterator[BinaryIO]:
    """A file for rows, that takes the place of an older one once it is whole; gzipped for `.gz`.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(path) as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(path.name.removesuffix(".gz"), "wb", 6, raw) as stream:
                yield stream  # type: ignore[misc]  # not declared as BinaryIO
        else:
            yield raw
