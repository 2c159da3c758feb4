"""Reads the streams of changes: all of them as they grow, and what came after a moment."""

import time
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from quotad.errors import StoreError
from quotad.store.connection import Store
from quotad.store.damage import report_damage
from quotad.store.events import KEPT_MS, USAGE_KEPT_MS, EventId, StreamEntry, read_entries, read_id
from quotad.store.keys import KeySpace
from quotad.store.link import NodeLink, read_time
from quotad.store.refusals import ErrorReply, WrongType, refused

READ_MAX = 500
"""Most entries of one stream that are read at once."""

BACKLOG_MAX = 1_000
"""Most entries that are read again for one listener."""

MARGIN_MS = 100
MARGIN_OF_SEVERAL_MS = 2_000
"""How far before a position reading starts again, on one server and on several: the clock may have
been set back a little, and those of several differ."""

POLL_MIN_S, POLL_MAX_S = 0.1, 0.5
POLLED_PER_S = 2_500
"""How many streams of a cluster are looked at in a second: no single command can wait for them."""

_EXTRA_S = 1 / 1_000_000
"""More time for each byte of an answer."""


class Growth(msgspec.Struct, frozen=True):
    """What came into the streams."""

    entries: list[StreamEntry]
    """By time."""
    lost: frozenset[str]
    """Streams that have lost some before they were read."""
    read_ms: int
    """Everything that came before (Unix ms, by the store's clock) was read."""
    whole_ms: int
    """Of what came before, all is among the entries or was read; of later streams some may lack."""

    def position_ms(self, entry: StreamEntry) -> int:
        """Where to read on after an entry, and those before it."""
        return min(entry.id.ms, self.whole_ms)


class Follower:
    """Reads all streams of a store from a moment on; of one thread.

    Args:
        store: where they are.
        keys: of the store.
    """

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._kept_ms: dict[str, int] = {}
        """By stream, how long entries stay."""
        self._link: NodeLink | None = None
        self._last: dict[str, EventId | None] = {}
        self._names: Sequence[str] = ()
        """The streams of all shards that there were at the start."""
        self._interrupted = False
        """Whether the store was away since the last read."""

    def start(self) -> None:
        """Read from now on.

        Raises:
            StoreError: the store refused or timed out.
        """
        keys = self._keys
        streams = keys.event_streams(self._store.time_ms())
        self._kept_ms = dict.fromkeys((*streams, keys.catalog_events), KEPT_MS)
        self._kept_ms[keys.usage_events] = USAGE_KEPT_MS
        self._names = keys.shard_events
        self._last = self._heads()
        self._interrupted = False

    def read(self, wait_s: float) -> Growth:
        """Wait for entries, at most for a while.

        Raises:
            StoreError: the store refused or timed out; reading again continues where it was.
        """
        try:
            return self._read(wait_s)
        except StoreError as error:
            self.close()
            self._interrupted = True
            if isinstance(error, WrongType):
                self._mend()
            raise

    def wake(self) -> None:
        """Let a read that waits fail; any thread may."""
        if self._link is not None:
            self._link.drop()

    def close(self) -> None:
        """Close the connection; the next read opens it again."""
        if self._link is not None:
            self._link.close()

    def _read(self, wait_s: float) -> Growth:
        if self._names is not self._keys.shard_events:  # shards begin to move into new ones
            self._names = self._keys.shard_events
            new = [name for name in self._names if name not in self._last]
            self._kept_ms |= dict.fromkeys(new, KEPT_MS)
            self._last |= dict.fromkeys(new)
        lost = self._compare() if self._interrupted else set()
        self._interrupted = False
        asked_s = time.monotonic()
        read_ms, answers = self._ask(wait_s)
        # Where the clock was set back, entries may be later than now.
        whole_ms = read_ms + round((time.monotonic() - asked_s) * 1000)
        entries: list[StreamEntry] = []
        for stream, answer in answers:
            last = self._last[stream]
            found = read_entries(stream, answer)
            for entry in found:
                if not entry.id.follows(last, self._kept_ms[stream]):
                    lost.add(stream)
                last = entry.id
            self._last[stream] = last
            if last is not None and len(found) == READ_MAX:  # there may be more
                read_ms, whole_ms = min(read_ms, last.ms), min(whole_ms, last.ms)
            entries += found
        return Growth(sorted(entries), frozenset(lost), read_ms, whole_ms)

    def _ask(self, wait_s: float) -> tuple[int, list[tuple[str, Any]]]:
        """The time before it was read (Unix ms), and what is new by stream."""
        return self._wait(wait_s) if self._store.whole else self._poll()

    def _wait(self, wait_s: float) -> tuple[int, list[tuple[str, Any]]]:
        if self._link is None:
            self._link = self._store.waiting_link()
        after = [_word(last) for last in self._last.values()]
        block = max(1, round(wait_s * 1000))
        read = ("XREAD", "COUNT", READ_MAX, "BLOCK", block, "STREAMS", *self._last, *after)
        deadline = time.monotonic() + self._store.timeout_s + wait_s
        now, answer = self._link.exchange_many([("TIME",), read], deadline, _EXTRA_S)
        if isinstance(answer, ErrorReply):
            raise refused(answer, self._store.address)
        read_ms = read_time(now, self._store.address) // 1000
        return read_ms, [(name.decode(), found) for name, found in answer or ()]

    def _poll(self) -> tuple[int, list[tuple[str, Any]]]:
        streams = len(self._last)
        time.sleep(min(POLL_MAX_S, max(POLL_MIN_S, streams / POLLED_PER_S)))
        read_ms = self._store.time_ms()
        commands = [
            ("XRANGE", name, f"({_word(last)}", "+", "COUNT", READ_MAX)
            for name, last in self._last.items()
        ]
        answers = self._store.execute_many(commands)
        return read_ms, [each for each in zip(self._last, answers, strict=True) if each[1]]

    def _heads(self) -> dict[str, EventId | None]:
        """The last entry of every stream."""
        names = [*self._kept_ms]
        commands = [("XREVRANGE", name, "+", "-", "COUNT", 1) for name in names]
        answers = self._store.execute_many(commands, or_none=True)
        return {
            name: read_id(answer[0][0]) if answer else None
            for name, answer in zip(names, answers, strict=True)
        }

    def _compare(self) -> set[str]:
        """Streams that are not what they were: the store came back without some of it."""
        lost = set()
        now_ms = self._store.time_ms()
        for name, head in self._heads().items():
            last = self._last[name]
            if last is None or last.ms + self._kept_ms[name] < now_ms:
                continue  # it may have expired
            if head is None or head < last:
                self._last[name] = head
                lost.add(name)
        return lost

    def _mend(self) -> None:
        """Remove what is no stream."""
        names = [*self._kept_ms]
        kinds = self._store.execute_many([("TYPE", name) for name in names])
        for name, kind in zip(names, kinds, strict=True):
            if kind not in (b"stream", b"none"):
                report_damage(name, "it was no stream, and is removed")
                self._store.unlink([name])


def _word(last: EventId | None) -> str:
    return "0-0" if last is None else f"{last.ms}-{last.number}"


def entries_since(store: Store, streams: Sequence[str], since_ms: int) -> list[StreamEntry] | None:
    """What came into streams after a moment, by time, and a little before it.

    Args:
        store: where they are.
        streams: not those of usage.
        since_ms: Unix ms, by the store's clock; less than `KEPT_MS` ago.

    Returns:
        The entries; None: some are not kept any more, or they are more than `BACKLOG_MAX`.

    Raises:
        StoreError: the store refused or timed out.
    """
    start = since_ms - (MARGIN_MS if store.whole else MARGIN_OF_SEVERAL_MS)
    commands = [
        command
        for name in streams
        for command in (
            ("XRANGE", name, "-", "+", "COUNT", 1),
            ("XRANGE", name, f"{start}-0", "+", "COUNT", BACKLOG_MAX),
        )
    ]
    answers = store.execute_many(commands, or_none=True)
    for first in answers[::2]:
        oldest = read_id(first[0][0]) if first else None
        if oldest is not None and oldest.ms > start and oldest.number > 1:
            return None
    found = [read_entries(*each) for each in zip(streams, answers[1::2], strict=True)]
    entries = sorted(chain.from_iterable(found))
    return None if len(entries) >= BACKLOG_MAX else entries
