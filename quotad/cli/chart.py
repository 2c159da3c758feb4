"""A chart over time in text: one line per stretch of time, a bar of what was allowed and denied.

Made of characters alone, so that it is the same in a pipe, in a log of CI and on a terminal.
"""

from collections.abc import Sequence

import msgspec

WIDTH = 80
"""Columns of the widest line."""
BAR_MIN = 10

ALLOWED, DENIED = "█", "░"


class Point(msgspec.Struct, frozen=True):
    """One line of the chart."""

    label: str
    numbers: tuple[str, ...]
    """What stands between label and bar."""
    allowed: int
    denied: int


class ChartLine(msgspec.Struct, frozen=True):
    """One line as it is shown."""

    text: str
    """Label and numbers, padded."""
    allowed: str
    denied: str


def chart(columns: Sequence[str], points: Sequence[Point], width: int = WIDTH) -> list[ChartLine]:
    """The lines of a chart, the first with the names of the columns.

    Args:
        columns: names of the label and of each number.
        points: all with as many numbers.
        width: most columns of a line; a bar has at least `BAR_MIN` all the same.
    """
    rows = [tuple(columns), *((point.label, *point.numbers) for point in points)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = [_text(row, widths) for row in rows]
    bar = max(width - len(texts[0]) - 2, BAR_MIN)
    most = max((point.allowed + point.denied for point in points), default=0)
    lines = [ChartLine(texts[0], "", "")]
    for text, point in zip(texts[1:], points, strict=True):
        allowed, denied = _cells(point, most, bar)
        lines.append(ChartLine(text + "  ", ALLOWED * allowed, DENIED * denied))
    return lines


def _text(row: Sequence[str], widths: Sequence[int]) -> str:
    label, *numbers = row
    padded = [label.ljust(widths[0])]
    padded += [each.rjust(size) for each, size in zip(numbers, widths[1:], strict=True)]
    return "  ".join(padded)


def _cells(point: Point, most: int, bar: int) -> tuple[int, int]:
    """How long both parts of a bar are; what is there at all is seen, if the other leaves room."""
    both = point.allowed + point.denied
    if not both:
        return 0, 0
    length = max(round(both * bar / most), 1 + (point.allowed > 0 and point.denied > 0))
    denied = round(point.denied * length / both)
    if point.denied and point.allowed:
        denied = min(max(denied, 1), length - 1)
    return length - denied, denied
