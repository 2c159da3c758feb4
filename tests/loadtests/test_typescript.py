"""The measurement of the TypeScript client beside the bare stub, with a few callers."""

from loadtests.bench.typescript import KINDS, measure
from tests.clients.node import needs_client


@needs_client
def test_every_kind_of_caller_is_measured_and_counts_what_it_is_allowed() -> None:
    lines = measure(callers=(3,), seconds=0.1, rounds=1)

    assert list(KINDS) == [line.kind for line in lines]
    assert all(line.calls_s > 0 for line in lines)
