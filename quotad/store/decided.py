"""How many decisions all servers of a store have taken, by quarter of an hour, feature and reason.

Written by the servers every few seconds; for charts, not for bills: what a server has not written
when it is killed is lost, and so is what the store did not take.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from quotad.store.connection import Store
from quotad.store.keys import KeySpace, escape, unescape

STEP_MS = 15 * 60_000
DAY_MS = 86_400_000
KEPT_DAYS = 35
_KEPT_S = KEPT_DAYS * DAY_MS // 1000


class DecidedCount(msgspec.Struct, frozen=True, gc=False):
    """Decisions on one feature for one reason."""

    since_ms: int
    """Unix time; the count is of the `STEP_MS` from then on."""
    feature_id: str
    reason: int
    """A `Reason`."""
    count: int


class DecidedStore:
    """The counts of one store."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys

    def add(self, counts: Iterable[tuple[str, int, int]], now_ms: int) -> None:
        """Add to the counts of now.

        Args:
            counts: feature, reason and how many.
            now_ms: Unix time.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have been added.
        """
        key = self._keys.decided(_day(now_ms))
        step = now_ms % DAY_MS // STEP_MS
        commands: list[tuple[object, ...]] = [
            ("HINCRBY", key, f"{step}:{reason}:{escape(feature_id)}", count)
            for feature_id, reason, count in counts
        ]
        if commands:
            self._store.execute_many([*commands, ("EXPIRE", key, _KEPT_S)], or_none=True)

    def read(self, from_ms: int, until_ms: int) -> list[DecidedCount]:
        """Return the counts of steps that begin in a span, in order of their time.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        first = from_ms // DAY_MS * DAY_MS
        days = [day_ms for day_ms in range(first, until_ms, DAY_MS)]
        answers = self._store.execute_many(
            [("HGETALL", self._keys.decided(_day(day_ms))) for day_ms in days], or_none=True
        )
        found = [
            each
            for day_ms, answer in zip(days, answers, strict=True)
            for each in _counts(day_ms, answer or [])
            if from_ms <= each.since_ms < until_ms
        ]
        return sorted(found, key=lambda each: (each.since_ms, each.feature_id, each.reason))


def _day(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms // 1000, UTC).strftime("%Y-%m-%d")


def _counts(day_ms: int, answer: list[bytes]) -> Iterable[DecidedCount]:
    # There may be tens of thousands of them, of some hundred features.
    features: dict[bytes, str] = {}
    for name, count in zip(answer[::2], answer[1::2], strict=True):
        step, reason, written = name.split(b":", 2)
        feature_id = features.get(written)
        if feature_id is None:
            feature_id = features[written] = unescape(written.decode())
        yield DecidedCount(day_ms + int(step) * STEP_MS, feature_id, int(reason), int(count))
