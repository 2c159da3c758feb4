"""A node of a cluster that is gone: its customers fall back, and no others."""

import os
import signal
from pathlib import Path

from quotad.v1 import quota_pb2 as pb
from tests.integration.stage import CATALOG, stage
from tests.running import eventually

FALLING_BACK = CATALOG.replace("{type: metered}", "{type: metered, on_store_failure: allow}")


def test_customers_of_a_node_that_is_gone_fall_back_and_are_counted_when_it_is_back(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "j"
    with stage(catalog=FALLING_BACK, store_timeout_ms=500, journal=str(journal)) as on:
        mine, others = on.of(1), on.of(0, 2)
        assert set() == on.batch(mine + others)
        gone = on.cluster.nodes[1].process.pid
        os.kill(gone, signal.SIGSTOP)
        try:
            on.batch(mine + others)  # the first may have been sent
            for _ in range(3):
                assert set() == on.batch(mine + others)
            assert {name: on.fallback[name] for name in mine} == dict.fromkeys(mine, 3)
            assert not any(on.fallback[name] for name in others)
            # One that is not in memory, and would have to be read there.
            new = next(
                name
                for name in map("new{}".format, range(300))
                if on.server.keys.shard(name) == on.server.keys.shard(mine[0])
            )
            assert on.server.consume(new, "calls").is_fallback
            several = on.server.quota.CheckAndConsumeAll(
                pb.CheckAndConsumeAllRequest(
                    customer_id=mine[0], items=[pb.ConsumeItem(feature_id="calls", quantity=2)]
                ),
                timeout=10,
            )
            assert (several.allowed, several.is_fallback) == (True, True)
            on.allowed[mine[0]] += 2
            assert 1 == len(list(journal.glob("*.journal")))
        finally:
            os.kill(gone, signal.SIGCONT)

        eventually(lambda: list(journal.glob("*.journal")), lambda files: not files)
        on.check()
        assert {1} == set(on.server.counters(new).values())
