"""What a server has counted, as metrics: of its workers by edge, and of their parent."""

import platform
from collections.abc import Iterator, Mapping
from itertools import islice

from quotad import __version__
from quotad.metrics import FeatureNames, Instrument, Kind, Readings, WorkerReport
from quotad.ops.openmetrics import Family, Labels, Sample, buckets
from quotad.server.instruments import instruments
from quotad.server.memory import MB, rss_mb
from quotad.server.slot import RESTARTS
from quotad.server.workers import Workers

SUFFIX = "_total"

WITHOUT_DECISIONS = ("export",)
"""Edges whose workers look neither at catalog nor at decisions, and count nothing of them."""


class Exposition:
    """Makes metrics of what workers report; of one thread.

    Args:
        workers: of the server.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._instruments = instruments()
        self._features = FeatureNames()

    def families(self) -> Iterator[Family]:
        """Return everything that is exposed, as it is now."""
        yield _build()
        yield from self._of_parent()
        counted = {
            edge: report
            for edge, report in self._workers.counted().items()
            if edge not in WITHOUT_DECISIONS
        }
        named = {edge: self._instruments.named(report.values) for edge, report in counted.items()}
        for each in self._instruments.every:
            samples: list[Sample] = []
            for edge, values in named.items():
                samples += _samples(each, {"edge": edge}, values[each.name])
            yield _family(each, samples)
        rows = {edge: self._features.bounded(report.rows) for edge, report in counted.items()}
        for each in self._instruments.by_feature:
            yield _family(each, self._by_feature(each, rows))
        for each in self._instruments.by_node:
            yield _family(each, self._by_node(each, counted))

    def _by_feature(
        self, instrument: Instrument, by_edge: Mapping[str, Mapping[str, Readings]]
    ) -> list[Sample]:
        samples: list[Sample] = []
        for edge, rows in by_edge.items():
            for feature_id, row in rows.items():
                values = self._instruments.named_rows([row])[instrument.name]
                samples += [
                    sample
                    for sample in _samples(
                        instrument, {"edge": edge, "feature": feature_id}, values
                    )
                    if sample.value  # most features have few of the reasons
                ]
        return samples

    def _by_node(self, instrument: Instrument, by_edge: Mapping[str, WorkerReport]) -> list[Sample]:
        samples: list[Sample] = []
        for edge, report in by_edge.items():
            for node, row in sorted(report.nodes.items()):
                values = self._instruments.named_node(row)[instrument.name]
                samples += _samples(instrument, {"edge": edge, "node": node}, values)
        return samples

    def _of_parent(self) -> Iterator[Family]:
        slots = self._workers.slots
        yield Family(
            "quotad_workers",
            "gauge",
            "Worker processes that are to run.",
            [Sample({"edge": edge}, len(each)) for edge, each in slots.items()],
        )
        yield Family(
            "quotad_workers_ready",
            "gauge",
            "Those of them that answer calls with decisions.",
            [Sample({"edge": edge}, sum(s.ready for s in each)) for edge, each in slots.items()],
        )
        yield Family(
            "quotad_worker_restarts",
            "counter",
            "Workers that were replaced: planned, or because they failed or hung.",
            [
                Sample({"edge": edge, "why": why}, sum(s.restarts[why] for s in each), SUFFIX)
                for edge, each in slots.items()
                for why in RESTARTS
            ],
        )
        yield Family(
            "quotad_worker_memory_bytes",
            "gauge",
            "Resident memory of the workers.",
            [
                Sample({"edge": edge}, MB * sum(rss_mb(pid) for s in each if (pid := s.pid)))
                for edge, each in slots.items()
            ],
        )


def _build() -> Family:
    labels = {"version": __version__, "python": platform.python_version()}
    return Family("quotad_build", "info", "What runs.", [Sample(labels, 1, "_info")])


def _family(instrument: Instrument, samples: list[Sample]) -> Family:
    kind = {Kind.LOWEST: "gauge"}.get(instrument.kind, instrument.kind.value)
    return Family(instrument.name.removesuffix(SUFFIX), kind, instrument.meaning, samples)


def _samples(instrument: Instrument, labels: Labels, values: Mapping[str, int]) -> list[Sample]:
    per_unit = instrument.per_unit
    if instrument.kind is Kind.HISTOGRAM:
        bounds = [bound / per_unit for bound in instrument.bounds]
        every = iter(values.values())
        samples: list[Sample] = []
        for one in instrument.series:
            *counts, total = islice(every, len(bounds) + 2)
            own = {**labels, instrument.label: one} if instrument.label else labels
            samples += buckets(own, bounds, counts, total / per_unit)
        return samples
    suffix = SUFFIX if instrument.kind is Kind.COUNTER else ""
    return [
        Sample(
            {**labels, instrument.label: name} if instrument.label else labels,
            value / per_unit if per_unit > 1 else value,
            suffix,
        )
        for name, value in values.items()
    ]
