"""What tokens cost, from runs that were measured."""

from loadtests.bench.h2gen import Result
from loadtests.bench.measure import Run
from loadtests.bench.tokens import rows


def test_what_tokens_cost_is_told_by_runs_of_one_round() -> None:
    """A busy moment that slows a whole round down leaves its ratio as it is."""

    def run(per_second: float, server_us: float) -> Run:
        result = Result(1, 1, 0, 0, 1, 0, 0, per_second, 0.1, 0.1, {}, {})
        return Run("", result, server_us, 4.0, 8.0, front_us=server_us / 2)

    table = rows("fast", [run(1000, 10), run(100, 20)], [run(950, 11), run(95, 22)])

    assert [
        ["fast: decisions/s", "550", "522", "-5.0%"],
        ["fast: server CPU, us", "15.00", "16.50", "+10.0%"],
        ["fast: of that Python, us", "7.50", "8.25", "+10.0%"],
    ] == table
