"""What workers count, as their parent sums it up."""

import os

import pytest

from quotad.metrics import (
    Instrument,
    Instruments,
    Kind,
    SharedValues,
    added,
    histogram,
    shared_memory,
)
from quotad.server.instruments import instruments

CALLS = Instrument(Kind.COUNTER, "calls", "Calls by answer.", ("yes", "no"))
OPEN = Instrument(Kind.GAUGE, "open", "Open connections.")
WAITED = histogram("waited_ms", "How long calls waited.", (1, 10))
ALL = (CALLS, OPEN, WAITED)


def worker(yes: int, connections: int, *waits: int) -> list[int]:
    made = Instruments(ALL)
    made.read_by(CALLS, lambda: [yes, 1])
    made.read_by(OPEN, lambda: [connections])
    observe = made.observer(WAITED)
    for wait in waits:
        observe(wait)
    return made.values()


def test_values_of_workers_add_up_by_instrument_and_label() -> None:
    total = added(worker(5, 2, 1), worker(7, 3, 4, 10, 11))

    assert {
        "calls": {"yes": 12, "no": 2},
        "open": {"": 5},
        "waited_ms": {"1": 1, "10": 2, "inf": 1, "sum": 26},
    } == Instruments(ALL).named(total)


def test_of_a_worker_that_has_ended_all_but_gauges_stays() -> None:
    assert [5, 1, 0, 0, 1, 0, 2] == Instruments(ALL).kept(worker(5, 9, 2))


def test_what_nothing_counts_is_zero() -> None:
    assert [0] * 7 == Instruments(ALL).values()


@pytest.mark.parametrize("values", [[0, 0], [1, 2**62]])
def test_what_a_worker_writes_its_parent_reads(values: list[int]) -> None:
    descriptor = shared_memory(2)
    parent, child = SharedValues(2, os.dup(descriptor)), SharedValues(2, descriptor)

    assert [0, 0] == parent.read()
    child.write(values)

    assert values == parent.read()


def test_names_are_those_of_a_server_and_differ() -> None:
    names = [each.name for each in instruments().every]

    assert len(names) == len(set(names))
    assert all(name.startswith("quotad_") for name in names)
    counters = [each.name for each in instruments().every if each.kind is Kind.COUNTER]
    assert all(name.endswith("_total") for name in counters)
