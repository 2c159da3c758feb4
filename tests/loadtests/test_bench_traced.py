"""The benchmark's own machinery against a real server: launcher, counters, redis-benchmark."""

from loadtests.bench import redis_benchmark
from loadtests.bench.kinds import PREFIX
from loadtests.bench.measure import Line, measure
from loadtests.bench.processes import Machinery
from loadtests.bench.traffic import Traffic
from quotad.store import Charge, KeySpace, PeriodLimit, Retention, lay_out
from quotad.store.charges import CONSUME

FEATURE = "feature-api-calls"


def test_a_traced_server_lists_its_calls_and_drops_them() -> None:
    """Whoever changes the front's methods learns here that the launcher wraps them."""
    traffic = Traffic(feature_id=FEATURE, customers=10)
    line = Line("line", "native-traced", traffic, connections=1, rate=200)

    with Machinery() as machinery:
        run = measure(machinery, line, 0.3, seed=1)
        again = machinery.server(line.server).traced()
        used = machinery.usage(machinery.server(line.server).kind)
        machinery.forget({FEATURE})
        left = machinery.usage(machinery.server(line.server).kind)

    assert "" == run.problem
    assert run.result.calls == run.traced.calls == used
    assert 0 < run.traced.store_ms["max"] <= run.traced.call_ms["max"]
    assert run.traced.call_ms["p50"] <= run.result.latency_ms["p50"]
    assert (0, 0) == (again.calls, left)


def test_redis_benchmark_sends_what_a_server_would() -> None:
    """Keys first, with a place for the customer's number in each but the catalog's."""
    space = KeySpace(PREFIX)
    keys = space.customer(redis_benchmark.CUSTOMER)
    counters = lay_out([PeriodLimit(FEATURE, 10, "month")], Retention(), True, 0)
    charge = Charge(keys, 0, 1, CONSUME, counters)

    name, sha, count, *words = redis_benchmark.command_of("1:tag", [charge, charge])

    assert ("EVALSHA", 40, "5") == (name, len(sha), count)
    assert keys.catalog == words[0]
    assert all("__rand_int__" in word for word in words[1:5])
    assert "1:tag" == words[5]
