"""The fast front in the clear and with TLS, measured."""

import pytest

from loadtests.bench import cases
from loadtests.bench.measure import measure, warm_up
from loadtests.bench.processes import Machinery


def test_decisions_over_tls_are_measured_and_counted() -> None:
    group = cases.tls()
    if group is None:
        pytest.skip("h2load or the fast front is not installed")
    with Machinery() as machinery:
        clear, tls = group.lines
        warm_up(machinery, tls)
        run = measure(machinery, tls, seconds=0.1, seed=1)

        assert ("", True) == (run.problem, run.result.allowed > 0)
        assert (False, True) == tuple(
            machinery.server(line.server).kind.tls for line in (clear, tls)
        )
