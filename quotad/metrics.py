"""Instruments: named counts, plain integers in each worker, summed by the parent of the workers.

Counting is `row[index] += 1` by the one thread that owns a row, or a function that reads what is
counted anyway. A worker copies its values now and then into memory that its parent reads, so that
the counts of a worker that was killed are kept as well. Owns no format of exposition.
"""

import mmap
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import accumulate

import msgspec

Readings = list[int]
"""Of all instruments of a process, in their order."""

FEATURES_MAX = 200
"""Most features that are counted apart; the others are one more, `OTHER`."""

OTHER = "other"

REPORT_BYTES_MAX = 512 * 1024
"""Largest report of a worker: that of a catalog with the most features that are counted apart,
with the longest ids, is a third of it."""


class Kind(Enum):
    """How values of several workers become one."""

    COUNTER = "counter"
    """Only grows: the sum, workers that have ended included."""
    GAUGE = "gauge"
    """As it is now: the sum of the workers that run."""
    LOWEST = "lowest"
    """As it is now: the lowest of the workers that run."""
    HISTOGRAM = "histogram"
    """Readings by upper bound and the sum of what was observed; adds up as a counter."""


class Instrument(msgspec.Struct, frozen=True):
    """What is counted under one name."""

    kind: Kind
    name: str
    """In base units, as Prometheus has them; of a counter it ends with `_total`."""
    meaning: str
    labels: tuple[str, ...] = ("",)
    """One value each; of a histogram the upper bounds, `inf` and `sum`."""
    label: str = ""
    """Name of what the labels are values of."""
    bounds: tuple[int, ...] = ()
    """Of a histogram: the upper bounds of its buckets, growing."""
    series: tuple[str, ...] = ("",)
    """Of a histogram: values of `label`, for each of which there are buckets."""
    per_unit: int = 1
    """How many of what is counted are one of the name's unit: 1000 where milliseconds are."""


def histogram(
    name: str,
    meaning: str,
    bounds: tuple[int, ...],
    per_unit: int = 1,
    by: tuple[str, tuple[str, ...]] = ("", ("",)),
) -> Instrument:
    """Return a histogram with fixed buckets, or one for each value of a label.

    Args:
        name: of all of them.
        meaning: in a sentence.
        bounds: of the buckets.
        per_unit: how many of what is observed are one of the name's unit.
        by: the label and its values.
    """
    label, series = by
    ends = (*map(str, bounds), "inf", "sum")
    labels = tuple(f"{one} {end}".strip() for one in series for end in ends)
    return Instrument(
        Kind.HISTOGRAM,
        name,
        meaning,
        labels,
        label,
        bounds=bounds,
        series=series,
        per_unit=per_unit,
    )


class Histogram:
    """What one thread observes.

    Args:
        bounds: upper bounds of the buckets, growing.
    """

    __slots__ = ("_bounds", "row")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self._bounds = bounds
        self.row = [0] * (len(bounds) + 2)

    def observe(self, value: int) -> None:
        """Count a value."""
        row = self.row
        row[bisect_left(self._bounds, value)] += 1
        row[-1] += value


class WorkerReport(msgspec.Struct, array_like=True, frozen=True):
    """What a worker has to report to its parent."""

    values: Readings
    rows: dict[str, Readings] = {}
    """The same of what is counted by feature."""
    problems: dict[str, str] = {}
    """Why it is not ready, by component; empty: it is."""
    warnings: tuple[str, ...] = ()
    """What an operator should know of the store."""
    nodes: dict[str, Readings] = {}
    """What is counted by server of a cluster, by its address."""


class FeatureNames:
    """The features that are counted apart: the first that come, and at most `FEATURES_MAX`.

    Args:
        known: whether there is a feature of an id; of others there is no end.
    """

    def __init__(self, known: Callable[[str], bool] = lambda _: True) -> None:
        self._known = known
        self._names = {OTHER}

    def has(self, feature_id: str) -> bool:
        """Whether a feature is counted apart; once it is, it stays so."""
        if feature_id in self._names:
            return True
        if len(self._names) > FEATURES_MAX or not self._known(feature_id):
            return False
        self._names.add(feature_id)
        return True

    def bounded(self, rows: Mapping[str, Readings]) -> dict[str, Readings]:
        """Return rows by feature, those that are not counted apart together."""
        found: dict[str, Readings] = {}
        for name, row in rows.items():
            place = name if self.has(name) else OTHER
            found[place] = _sum(found.get(place, [0] * len(row)), row)
        return found


class FeatureRows(dict[str, Readings]):
    """What one thread counts, by feature.

    Args:
        width: how many values a feature has.
        names: of the features that are counted apart.
    """

    def __init__(self, width: int, names: FeatureNames) -> None:
        self._width = width
        self._names = names
        self[OTHER] = [0] * width

    def __missing__(self, feature_id: str) -> Readings:
        if not self._names.has(feature_id):
            return self[OTHER]
        row = self[feature_id] = [0] * self._width
        return row


class Instruments:
    """The instruments of one process, and where their values come from.

    Args:
        every: all of them; the same in a worker and its parent.
        by_feature: those that are counted for each feature, all of them counters.
        by_node: those that are counted for each server of a cluster.
    """

    def __init__(
        self,
        every: Sequence[Instrument],
        by_feature: Sequence[Instrument] = (),
        by_node: Sequence[Instrument] = (),
    ) -> None:
        self.every = every
        self.by_feature = by_feature
        self.by_node = by_node
        self.size = sum(len(each.labels) for each in every)
        self._reads: dict[str, Callable[[], Iterable[int]]] = {}

    def read_by(self, instrument: Instrument, read: Callable[[], Iterable[int]]) -> None:
        """Take the values of an instrument from a function, one for each of its labels."""
        self._reads[instrument.name] = read

    def observer(self, instrument: Instrument) -> Callable[[int], None]:
        """Return the function that counts an observation of a histogram; for one thread."""
        made = Histogram(instrument.bounds)
        self.read_by(instrument, lambda: made.row)
        return made.observe

    def values(self) -> Readings:
        """Return the values as they are now; 0 of an instrument that nothing reads."""
        found: Readings = []
        for each in self.every:
            read = self._reads.get(each.name)
            found += [0] * len(each.labels) if read is None else read()
        return found

    def nothing(self) -> WorkerReport:
        """Return the report of a worker that has counted nothing."""
        return WorkerReport([0] * self.size)

    def kept(self, report: WorkerReport) -> WorkerReport:
        """Return what stays of the report of a worker that has ended: what only grows."""
        nodes = {name: _lasting(self.by_node, row) for name, row in report.nodes.items()}
        return WorkerReport(_lasting(self.every, report.values), report.rows, nodes=nodes)

    def summed(self, slots: Sequence[tuple[WorkerReport, WorkerReport | None]]) -> WorkerReport:
        """Return what workers have counted.

        Args:
            slots: what has stayed of those that have ended, and what the one reports that runs.
        """
        running = [report for _, report in slots if report is not None]
        total = added([*(ended for ended, _ in slots), *running])
        for each, places in self._places(self.every):
            if each.kind is Kind.LOWEST:
                for i in places:
                    total.values[i] = min((report.values[i] for report in running), default=0)
        return total

    def named(self, values: Readings) -> dict[str, dict[str, int]]:
        """Return values by the name and the label of their instrument."""
        return _named(self._places(self.every), values)

    def named_rows(self, rows: Iterable[Readings]) -> dict[str, dict[str, int]]:
        """Return values of features, summed up, by the name and the label of their instrument."""
        total = [0] * sum(len(each.labels) for each in self.by_feature)
        for row in rows:
            total = _sum(total, row)
        return _named(self._places(self.by_feature), total)

    def named_node(self, row: Readings) -> dict[str, dict[str, int]]:
        """Return values of a server of a cluster by the name and the label of their instrument."""
        return _named(self._places(self.by_node), row)

    @staticmethod
    def _places(every: Sequence[Instrument]) -> Iterator[tuple[Instrument, range]]:
        """Return where the values of each instrument are."""
        for each, end in zip(every, accumulate(len(one.labels) for one in every), strict=True):
            yield each, range(end - len(each.labels), end)


def _lasting(every: Sequence[Instrument], values: Readings) -> Readings:
    """Return what only grows of some values, and 0 for the rest."""
    lasting = (Kind.COUNTER, Kind.HISTOGRAM)
    keeps = [each.kind in lasting for each in every for _ in each.labels]
    return [value * keep for value, keep in zip(values, keeps, strict=True)]


def _named(
    places: Iterable[tuple[Instrument, range]], values: Readings
) -> dict[str, dict[str, int]]:
    return {
        each.name: dict(zip(each.labels, (values[i] for i in at), strict=True))
        for each, at in places
    }


def added(reports: Sequence[WorkerReport]) -> WorkerReport:
    """Return the sums of what is counted, place by place."""
    rows = summed_rows([report.rows for report in reports])
    values = reports[0].values
    for report in reports[1:]:
        values = _sum(values, report.values)
    nodes = summed_rows([report.nodes for report in reports])
    return WorkerReport(list(values), rows, nodes=nodes)


def summed_rows(every: Iterable[Mapping[str, Readings]]) -> dict[str, Readings]:
    """Return the sums of rows by feature."""
    found: dict[str, Readings] = {}
    for rows in every:
        for name, row in rows.items():
            found[name] = _sum(found[name], row) if name in found else list(row)
    return found


def _sum(one: Readings, other: Readings) -> Readings:
    return [left + right for left, right in zip(one, other, strict=True)]


class SharedReport:
    """Memory that a worker writes and its parent reads.

    There are two places: a worker writes into the one that is not read, so that its parent finds a
    whole report, also when the worker is killed while it writes.

    Args:
        descriptor: of the memory, by `shared_memory`; closed here.
    """

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, _MEMORY_BYTES)
        os.close(descriptor)

    def write(self, report: WorkerReport) -> None:
        """Replace the report of this process."""
        data = msgspec.msgpack.encode(report)
        if len(data) > REPORT_BYTES_MAX:  # what is counted by feature has its bounds elsewhere
            data = msgspec.msgpack.encode(msgspec.structs.replace(report, rows={}))
        place = 1 if self._memory[0] != 1 else 2
        start = self._start(place)
        self._memory[start : start + _LENGTH_BYTES] = len(data).to_bytes(_LENGTH_BYTES, "big")
        self._memory[start + _LENGTH_BYTES : start + _LENGTH_BYTES + len(data)] = data
        self._memory[0] = place

    def read(self) -> WorkerReport | None:
        """Return what the worker wrote last; None: nothing yet."""
        place = self._memory[0]
        if not place:
            return None
        start = self._start(place) + _LENGTH_BYTES
        length = int.from_bytes(self._memory[start - _LENGTH_BYTES : start], "big")
        return _decode(self._memory[start : start + length])

    @staticmethod
    def _start(place: int) -> int:
        return _LENGTH_BYTES + (place - 1) * (_LENGTH_BYTES + REPORT_BYTES_MAX)


_decode = msgspec.msgpack.Decoder(WorkerReport).decode
_LENGTH_BYTES = 8
_MEMORY_BYTES = _LENGTH_BYTES + 2 * (_LENGTH_BYTES + REPORT_BYTES_MAX)


def shared_memory() -> int:
    """Return a descriptor of new memory for a report; pages that are not written take no room."""
    descriptor = os.memfd_create("quotad-report")
    os.ftruncate(descriptor, _MEMORY_BYTES)
    return descriptor
