"""What workers count, as their parent sums it up."""

import os
from types import SimpleNamespace
from typing import cast

import pytest

from quotad.decision import Reason
from quotad.errors import StoreUnavailable
from quotad.metrics import (
    FEATURES_MAX,
    OTHER,
    FeatureNames,
    FeatureRows,
    Instrument,
    Instruments,
    Kind,
    SharedReport,
    WorkerReport,
    added,
    histogram,
    shared_memory,
)
from quotad.operations.decisions import WOULD_DENY
from quotad.ops.openmetrics import Family, Sample
from quotad.server import instruments as known
from quotad.server.exposition import Exposition
from quotad.server.instruments import instruments
from quotad.server.workers import Workers
from quotad.store.node_counts import NODES_MAX, NodeCounts

CALLS = Instrument(Kind.COUNTER, "calls", "Calls by answer.", ("yes", "no"), "answer")
OPEN = Instrument(Kind.GAUGE, "open", "Open connections.")
VERSION = Instrument(Kind.LOWEST, "version", "Of the worker that is behind.")
WAITED = histogram("waited_ms", "How long calls waited.", (1, 10))
ALL = (CALLS, OPEN, VERSION, WAITED)


def worker(yes: int, connections: int, version: int, *waits: int) -> WorkerReport:
    made = Instruments(ALL)
    made.read_by(CALLS, lambda: [yes, 1])
    made.read_by(OPEN, lambda: [connections])
    made.read_by(VERSION, lambda: [version])
    observe = made.observer(WAITED)
    for wait in waits:
        observe(wait)
    return WorkerReport(made.values(), {"api": [yes]})


def test_values_of_workers_add_up_by_instrument_and_label() -> None:
    made = Instruments(ALL)
    ended = made.kept(worker(1, 9, 1))

    total = made.summed([(ended, worker(5, 2, 7, 1)), (made.nothing(), worker(7, 3, 6, 4, 10, 11))])

    assert {
        "calls": {"yes": 13, "no": 3},
        "open": {"": 5},
        "version": {"": 6},
        "waited_ms": {"1": 1, "10": 2, "inf": 1, "sum": 26},
    } == made.named(total.values)
    assert {"api": [13]} == total.rows


def test_of_a_worker_that_has_ended_what_only_grows_stays() -> None:
    kept = Instruments(ALL).kept(worker(5, 9, 7, 2))

    assert [5, 1, 0, 0, 0, 1, 0, 2] == kept.values
    assert {"api": [5]} == kept.rows


def test_what_nothing_counts_is_zero() -> None:
    assert [0] * 8 == Instruments(ALL).values()


def test_sums_leave_what_they_are_made_of_alone() -> None:
    one = worker(5, 9, 7)

    assert {"api": [10]} == added([one, one]).rows
    assert {"api": [5]} == one.rows


def test_features_are_counted_apart_up_to_a_number_and_those_that_there_are_not_never() -> None:
    names = FeatureNames(lambda name: name.startswith("f"))
    rows, others = FeatureRows(2, names), FeatureRows(2, names)
    for i in range(FEATURES_MAX + 10):
        rows[f"f-{i}"][1] += 1
        rows["made-up"][0] += 1
    others[f"f-{FEATURES_MAX + 1}"][1] += 1
    others["f-0"][1] += 1

    assert FEATURES_MAX + 1 == len(rows)
    assert [FEATURES_MAX + 10, 10] == rows[OTHER]
    assert {OTHER: [0, 1], "f-0": [0, 1]} == others


def test_rows_of_many_workers_are_bounded_once_more_and_never_shrink() -> None:
    names = FeatureNames()
    first = names.bounded({f"f-{i}": [1] for i in range(FEATURES_MAX)})
    later = names.bounded({f"f-{i}": [1] for i in range(5, FEATURES_MAX + 5)})

    assert FEATURES_MAX == len(first)
    assert [5] == later[OTHER]
    assert [1] == later["f-5"]


@pytest.mark.parametrize(
    "report",
    [
        WorkerReport([1, 2**62]),
        WorkerReport([], {"ü" * 128: [1] * 15}, {"store": "away"}, ("evicts",)),
    ],
)
def test_what_a_worker_writes_its_parent_reads(report: WorkerReport) -> None:
    descriptor = shared_memory()
    parent, child = SharedReport(os.dup(descriptor)), SharedReport(descriptor)

    assert parent.read() is None
    child.write(WorkerReport([7]))
    child.write(report)

    assert report == parent.read()


def test_the_largest_report_there_can_be_is_written_whole() -> None:
    made = instruments()
    row = [2**62] * sum(len(each.labels) for each in made.by_feature)
    rows = {f"{i:0256}": row for i in range(FEATURES_MAX + 1)}
    of_node = [2**62] * sum(len(each.labels) for each in made.by_node)
    nodes = {f"{i:0300}": of_node for i in range(NODES_MAX + 1)}
    report = WorkerReport(
        [2**62] * made.size, rows, {"store": "x" * 1000}, ("y" * 1000,) * 9, nodes
    )
    shared = SharedReport(shared_memory())

    shared.write(report)

    assert report == shared.read()


def test_names_are_those_of_a_server_and_differ() -> None:
    every = (*instruments().every, *instruments().by_feature, *instruments().by_node)
    names = [each.name for each in every]

    assert len(names) == len(set(names))
    assert all(name.startswith("quotad_") for name in names)
    counters = [each.name for each in every if each.kind is Kind.COUNTER]
    assert all(name.endswith("_total") for name in counters)


def test_counts_of_a_feature_are_where_decisions_are_counted() -> None:
    labels = [(each.name, label) for each in instruments().by_feature for label in each.labels]

    assert (known.WOULD_DENY.name, "") == labels[WOULD_DENY]
    for reason in Reason:
        assert (known.DECISIONS.name, reason.name) == labels[reason]


def test_servers_of_a_cluster_are_counted_by_address_up_to_a_number() -> None:
    counts = NodeCounts()
    counts.answered("redis://a:1", 0.0002)
    counts.replied("redis://a:1", "MOVED")
    counts.failed("redis://a:1", StoreUnavailable("it did not answer in time"))
    for port in range(2 * NODES_MAX):
        counts.replied(f"redis://b:{port}", "TRYAGAIN")
    rows = counts.rows(down={"redis://a:1"})

    assert NODES_MAX + 1 == len(rows)
    assert (
        NODES_MAX + 1 == instruments().named_node(rows[OTHER])[known.NODE_ERRORS.name]["tryagain"]
    )
    report = WorkerReport(instruments().nothing().values, nodes=rows)
    ended, running = instruments().kept(report), report
    workers = SimpleNamespace(slots={}, counted=lambda: {"grpc": added([ended, running])})
    found = {each.name: each for each in Exposition(cast("Workers", workers)).families()}
    (down,) = _of(found["quotad_store_node_breaker_open_workers"], "redis://a:1")
    assert 1 == down.value  # of the one that runs
    errors = _of(found["quotad_store_node_errors"], "redis://a:1")
    assert {"moved": 2, "unavailable": 2} == {
        each.labels["kind"]: each.value for each in errors if each.value
    }
    assert [0.0004] == [
        each.value
        for each in _of(found["quotad_store_node_answer_seconds"], "redis://a:1")
        if each.suffix == "_sum"
    ]


def _of(family: Family, node: str) -> list[Sample]:
    return [each for each in family.samples if each.labels["node"] == node]
