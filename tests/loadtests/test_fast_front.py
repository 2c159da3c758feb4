"""The fast front beside the native one with tokens on, measured."""

import pytest

from loadtests.bench import h2load
from loadtests.bench.fast_front import HOT, TLS, Table, lines
from loadtests.bench.h2gen import Result
from loadtests.bench.measure import Line, Run, measure, warm_up
from loadtests.bench.processes import Machinery


@pytest.mark.skipif(not h2load.is_installed(), reason="h2load is not installed")
def test_calls_of_both_generators_show_the_token_that_a_server_asks_for() -> None:
    with Machinery() as machinery:
        for generator in ("h2gen", "h2load"):
            line = Line("", "native-tokens", HOT, generator=generator)
            warm_up(machinery, line)
            run = measure(machinery, line, seconds=0.1, seed=1)

            assert ("", True) == (run.problem, run.result.allowed > 0)


def test_the_table_divides_runs_of_one_round() -> None:
    """A busy moment that slows a whole round down leaves its ratio as it is."""

    def run(per_second: float) -> Run:
        latency = {"p50": 100 / per_second}
        result = Result(1, 1, 0, 0, 1, 0, 0, per_second, 0.1, 0.1, latency, {})
        return Run("", result, 10_000 / per_second, 8.0, 10.0)

    slower = {(about, front): 2 if front == "native" else 1 for about, front in lines()}
    slower[TLS, "fast"] = 4
    runs = {key: [run(1000 / by), run(100 / by)] for key, by in slower.items()}

    rows = Table(runs, {"native": 60.0, "fast": 61.5}).rows()

    assert {5} == {len(row) for row in rows}
    shown = {row[0]: row[1:4] for row in rows[1:]}
    assert ["275", "550", "2.00 (2.00 to 2.00)"] == shown["8 x 32: decisions/s"]
    assert "0.50 (0.50 to 0.50)" == shown["one caller: p50 ms"][2]
    assert "0.25 (0.25 to 0.25)" == shown["with TLS / without"][1]
    assert ["60.0", "61.5", "+1.5 MB"] == shown["an idle worker, MB"]
