"""The measurement of what watching costs, with a few listeners."""

import asyncio

from loadtests.bench.watching import measure


def test_every_write_and_publish_reaches_its_listeners() -> None:
    found = asyncio.run(measure(listeners=20, writes=5, idle_s=0.0))

    assert (5, 5) == (len(found.latency_ms), len(found.written_ms))
