"""How many decisions there were over time, by feature and reason."""

from typing import Any

import pytest

from quotad.decision import Reason
from quotad.errors import InvalidRequest
from quotad.metrics import FeatureNames, FeatureRows
from quotad.operations.decided import DecidedCounts, DecidedOperations
from quotad.operations.decisions import COUNTS
from quotad.store import KeySpace, Store
from quotad.store.decided import DAY_MS, KEPT_DAYS, STEP_MS, DecidedCount, DecidedStore
from tests.deciding import FixedClock
from tests.raw import raw

NOW_MS = 20_000 * DAY_MS + 10 * STEP_MS + 5
ALLOWED, DENIED = int(Reason.WITHIN_LIMIT), int(Reason.LIMIT_EXCEEDED)


class Server:
    """What a worker has of it, with two threads."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        made = DecidedStore(store, keys)
        self.clock = FixedClock(NOW_MS)
        self.counts = DecidedCounts(made)
        self.threads = [FeatureRows(COUNTS, FeatureNames()) for _ in range(2)]
        for rows in self.threads:
            self.counts.include(rows)
        self.operations = DecidedOperations(made, self.counts, self.clock)

    def read(self) -> list[Any]:
        return [
            (each.since_ms, each.feature_id, each.reason, each.count)
            for each in self.operations.over_time(NOW_MS - 2 * DAY_MS)
        ]


def test_decisions_of_all_threads_and_servers_add_up_by_quarter_of_an_hour(
    store: Store, keys: KeySpace
) -> None:
    one, other = Server(store, keys), Server(store, keys)
    one.threads[0]["a:b c"][ALLOWED] += 3
    one.threads[1]["a:b c"][ALLOWED] += 1
    one.threads[1]["a:b c"][DENIED] += 1
    other.threads[0]["a:b c"][DENIED] += 5
    one.counts.flush(NOW_MS - DAY_MS)
    one.counts.flush(NOW_MS - DAY_MS)  # nothing is new
    other.counts.flush(NOW_MS)
    one.threads[0]["a:b c"][ALLOWED] += 2
    one.threads[0]["d"][ALLOWED] += 1

    start = 20_000 * DAY_MS + 10 * STEP_MS
    assert [
        (start - DAY_MS, "a:b c", DENIED, 1),
        (start - DAY_MS, "a:b c", ALLOWED, 4),
        (start, "a:b c", DENIED, 5),
        (start, "a:b c", ALLOWED, 2),
        (start, "d", ALLOWED, 1),
    ] == one.read()
    assert one.read() == other.read()


def test_steps_outside_of_the_span_are_left_out(store: Store, keys: KeySpace) -> None:
    server = Server(store, keys)
    for steps in range(3):
        server.threads[0]["a"][ALLOWED] += 1
        server.counts.flush(NOW_MS + steps * STEP_MS)

    start = NOW_MS - 5
    read = server.operations.over_time
    assert [start + STEP_MS] == [e.since_ms for e in read(start + 1, start + 2 * STEP_MS)]
    assert DecidedCount(start, "a", ALLOWED, 1) == read(start, start + 1)[0]


def test_counts_expire_and_a_key_that_is_something_else_fails_nothing(
    store: Store, keys: KeySpace
) -> None:
    server = Server(store, keys)
    server.threads[0]["a"][ALLOWED] += 1
    server.counts.flush(NOW_MS)
    (key,) = raw(store).scan_iter(f"{keys.prefix}:*decided*")
    assert 0 < raw(store).ttl(key) <= KEPT_DAYS * DAY_MS // 1000

    raw(store).set(key, "x")
    server.threads[0]["a"][ALLOWED] += 1

    assert [] == server.read()


@pytest.mark.parametrize(("from_ms", "until_ms"), [(NOW_MS + 1, 0), (5, 5), (0, 36 * DAY_MS)])
def test_a_span_that_is_none_or_too_long_is_refused(
    store: Store, keys: KeySpace, from_ms: int, until_ms: int
) -> None:
    with pytest.raises(InvalidRequest, match="from: "):
        Server(store, keys).operations.over_time(from_ms, until_ms)
