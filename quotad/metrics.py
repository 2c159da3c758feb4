"""Instruments: named counts, plain integers in each worker, summed by the parent of the workers.

Counting is `row[index] += 1` by the one thread that owns a row, or a function that reads what is
counted anyway. A worker copies its values now and then into memory that its parent reads, so that
the counts of a worker that was killed are kept as well. Owns no format of exposition.
"""

import mmap
import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import accumulate

import msgspec

Readings = list[int]
"""Of all instruments of a process, in their order."""

_BYTES = 8
"""Of one value."""


class Kind(Enum):
    """How values of several workers become one."""

    COUNTER = "counter"
    """Only grows: the sum, workers that have ended included."""
    GAUGE = "gauge"
    """As it is now: the sum of the workers that run."""
    HISTOGRAM = "histogram"
    """Readings by upper bound and the sum of what was observed; adds up as a counter."""


class Instrument(msgspec.Struct, frozen=True):
    """What is counted under one name."""

    kind: Kind
    name: str
    meaning: str
    labels: tuple[str, ...] = ("",)
    """One value each; of a histogram the upper bounds, `inf` and `sum`."""
    bounds: tuple[int, ...] = ()
    """Of a histogram: the upper bounds of its buckets, growing."""


def histogram(name: str, meaning: str, bounds: tuple[int, ...]) -> Instrument:
    """Return a histogram with fixed buckets."""
    labels = (*map(str, bounds), "inf", "sum")
    return Instrument(Kind.HISTOGRAM, name, meaning, labels, bounds)


class Instruments:
    """The instruments of one process, and where their values come from.

    Args:
        every: all of them; the same in a worker and its parent.
    """

    def __init__(self, every: Sequence[Instrument]) -> None:
        self.every = every
        self.size = sum(len(each.labels) for each in every)
        self._reads: dict[str, Callable[[], Iterable[int]]] = {}

    def read_by(self, instrument: Instrument, read: Callable[[], Iterable[int]]) -> None:
        """Take the values of an instrument from a function, one for each of its labels."""
        self._reads[instrument.name] = read

    def observer(self, instrument: Instrument) -> Callable[[int], None]:
        """Return the function that counts an observation of a histogram; for one thread."""
        row = [0] * len(instrument.labels)

        def observe(value: int) -> None:
            row[bisect_left(instrument.bounds, value)] += 1
            row[-1] += value

        self.read_by(instrument, lambda: row)
        return observe

    def values(self) -> Readings:
        """Return the values as they are now; 0 of an instrument that nothing reads."""
        found: Readings = []
        for each in self.every:
            read = self._reads.get(each.name)
            found += [0] * len(each.labels) if read is None else read()
        return found

    def kept(self, values: Readings) -> Readings:
        """Return what stays of the values of a worker that has ended: all but gauges."""
        counts = [each.kind is not Kind.GAUGE for each in self.every for _ in each.labels]
        return [value * keep for value, keep in zip(values, counts, strict=True)]

    def named(self, values: Readings) -> dict[str, dict[str, int]]:
        """Return values by the name and the label of their instrument."""
        ends = accumulate(len(each.labels) for each in self.every)
        return {
            each.name: dict(zip(each.labels, values[end - len(each.labels) : end], strict=True))
            for each, end in zip(self.every, ends, strict=True)
        }


class SharedValues:
    """Memory that a worker writes and its parent reads.

    Args:
        size: of the values.
        descriptor: of the memory, by `shared_memory`; closed here.
    """

    def __init__(self, size: int, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, size * _BYTES)
        os.close(descriptor)

    def write(self, values: Readings) -> None:
        """Copy the values of this process."""
        self._memory[:] = array("q", values).tobytes()

    def read(self) -> Readings:
        """Return what the worker wrote last."""
        return array("q", self._memory[:]).tolist()


def shared_memory(size: int) -> int:
    """Return a descriptor of new memory for a number of values, all 0."""
    descriptor = os.memfd_create("quotad-metrics")
    os.ftruncate(descriptor, size * _BYTES)
    return descriptor


def added(one: Readings, other: Readings) -> Readings:
    """Return the sums of values, place by place."""
    return [left + right for left, right in zip(one, other, strict=True)]
