"""When a server of a cluster counts as slow."""

from typing import Any

import pytest

from quotad.store.slow_nodes import FAST_ENOUGH, FAST_S, LATE_ENOUGH, SLOW_S, SlowNodes


class _Named:
    def __init__(self, address: str) -> None:
        self.address = address


LATE, SO_SO, FAST = 2 * SLOW_S, 2 * FAST_S, FAST_S / 2


@pytest.mark.parametrize(
    ("waits", "slow"),
    [
        ([LATE] * (LATE_ENOUGH - 1), False),
        ([LATE] * LATE_ENOUGH, True),
        ([*[LATE] * (LATE_ENOUGH - 1), FAST] * 3, False),
        ([*[LATE] * LATE_ENOUGH, *[FAST] * (FAST_ENOUGH - 1)], True),
        ([*[LATE] * LATE_ENOUGH, *[FAST] * FAST_ENOUGH], False),
        ([*[LATE] * LATE_ENOUGH, *[SO_SO] * 100], True),
        ([*[LATE] * LATE_ENOUGH, *[FAST] * FAST_ENOUGH, LATE], False),
    ],
)
def test_a_server_is_slow_after_several_late_answers_until_several_fast_ones(
    waits: list[float], slow: bool
) -> None:
    node: Any = _Named("redis://db")
    other: Any = _Named("redis://other")
    nodes = SlowNodes()
    for wait in waits:
        nodes.note(node, wait)
        nodes.note(other, FAST)

    assert ([node] if slow else []) == [each for each in (node, other) if each in nodes.nodes]
