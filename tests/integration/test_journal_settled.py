"""Journals are counted once: whoever dies when, whatever has become of their files."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quotad.decision import ConsumeRequest
from quotad.errors import StoreUnavailable
from quotad.journal import JournalEntry
from quotad.journal.entries import head_bytes, read_journal
from quotad.operations import settling
from quotad.store.journals import JournalScript
from tests.deciding import Bench, bench
from tests.fallback import FallingBack, falling_back

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered, on_store_failure: allow}}
plans: {free: {entitlements: {calls: {limit: 1000, per: month}}}}
"""
CUSTOMERS = [f"c{i}" for i in range(12)]
"""Of all shards, of which a bench has four."""


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield made


def let_through(worker: FallingBack, quantity: int = 1) -> None:
    """Two batches for every customer, while the store is gone."""
    worker.lose_store()
    for _ in range(2):
        for answer in worker.decide(
            *[ConsumeRequest(name, "calls", quantity) for name in CUSTOMERS]
        ):
            assert getattr(answer, "is_fallback", False), answer
    worker.find_store()


def usage(made: Bench) -> list[int]:
    return [made.check(name, "calls").used for name in CUSTOMERS]


class Interrupted(Exception):
    """The end of a process, where it happens."""


class Dying(JournalScript):
    """Settles until its process ends: before a call, or once the store has done its work."""

    steps = 0

    def settle(self, journal_id: str, *rest: Any) -> list[int]:
        self._step()
        found = super().settle(journal_id, *rest)
        self._step()
        return found

    def _step(self) -> None:
        if not self.steps:
            raise Interrupted
        self.steps -= 1


def test_a_process_that_ends_at_any_step_leaves_nothing_uncounted_and_nothing_twice(
    made: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "TOGETHER_MAX", 2)
    dying, step = Dying(made.store, made.keys), 0
    while True:
        with falling_back(made, tmp_path / "j") as worker:
            let_through(worker)
            dying.steps = step
            worker.settling._script = dying
            with suppress(Interrupted):
                worker.settle()
            ended = dying.steps > 0
            worker.die()
        step += 1
        with falling_back(made, tmp_path / "j") as next_:
            next_.settle()

            assert [2 * step] * len(CUSTOMERS) == usage(made)
            assert [] == list((tmp_path / "j").iterdir())
        if ended:
            break
    assert step > 24


def test_a_journal_that_is_cut_at_any_byte_counts_what_is_whole(
    made: Bench, tmp_path: Path
) -> None:
    with falling_back(made, tmp_path / "j") as worker:
        let_through(worker)
        ((file, length),) = worker.journal.files()
        data = file.read()[:length]
        worker.die()
        file.path.unlink()
    head = read_journal(data).head
    assert head is not None
    batches = data[len(head_bytes(head)) :]
    used = 0
    for size in [*range(0, len(batches), 211), len(batches)]:
        # Another journal each time: of the same one nothing is counted twice.
        name = f"{size:015}-cut"
        own = head_bytes(msgspec.structs.replace(head, journal_id=name))
        (tmp_path / "j" / f"{name}.journal").write_bytes(own + batches[:size])
        with falling_back(made, tmp_path / "j") as next_:
            counted = next_.settle().get("counted", 0)

            whole = 2 if size == len(batches) else int(size >= len(batches) // 2)
            assert whole * len(CUSTOMERS) == counted, size
            assert [] == list((tmp_path / "j").iterdir())
        used += whole
    assert used > 3
    assert [used] * len(CUSTOMERS) == usage(made)


def test_two_servers_have_a_journal_each_and_both_are_counted(made: Bench, tmp_path: Path) -> None:
    with (
        falling_back(made, tmp_path / "one") as one,
        falling_back(made, tmp_path / "two") as two,
    ):
        let_through(one, 1)
        let_through(two, 10)
        two.settle()
        one.settle()

        assert [22] * len(CUSTOMERS) == usage(made)


def test_workers_of_one_directory_leave_each_others_journals_alone(
    made: Bench, tmp_path: Path
) -> None:
    with (
        falling_back(made, tmp_path / "j") as one,
        falling_back(made, tmp_path / "j") as two,
    ):
        let_through(one)
        let_through(two, 10)

        assert {"counted": 2 * len(CUSTOMERS)} == two.settle()
        assert [20] * len(CUSTOMERS) == usage(made)
        one.settle()
        assert [22] * len(CUSTOMERS) == usage(made)


def test_a_damaged_journal_is_counted_as_far_as_it_can_be_read_named_and_kept(
    made: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with falling_back(made, tmp_path / "j") as worker:
        let_through(worker)
        ((file, length),) = worker.journal.files()
        data = bytearray(file.read())
        worker.die()
        data[data.index(b"acme") if b"acme" in data else length // 3] ^= 0xFF
        file.path.write_bytes(data)
    with falling_back(made, tmp_path / "j") as next_:
        assert {"counted": len(CUSTOMERS)} == next_.settle()

        assert [1] * len(CUSTOMERS) == usage(made)
        (kept,) = (tmp_path / "j").iterdir()
        assert f"{file.path.name}.damaged" == kept.name
        assert bytes(data) == kept.read_bytes()
        assert f"{kept}: " in caplog.text
        assert "cannot be read, and what they hold is not counted" in caplog.text
        assert {"counted": len(CUSTOMERS)} == next_.settle()  # once


def test_a_journal_of_another_store_is_named_and_left_alone(
    made: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with falling_back(made, tmp_path / "j") as worker:
        worker.journal.store_id = "another"
        let_through(worker)
        worker.die()
    with falling_back(made, tmp_path / "j") as next_:
        assert {} == next_.settle()
        assert {} == next_.settle()

        assert [0] * len(CUSTOMERS) == usage(made)
        assert 1 == caplog.text.count("is of another store (id another, and this is this store)")
        (warning,) = next_.settling.warnings
        assert "it is left alone: start a server on that store" in warning
        assert 2 * len(CUSTOMERS) == next_.settling.unsettled
        next_.journal.store_id = "another"
        assert {"counted": 2 * len(CUSTOMERS)} == next_.settle()
        assert () == next_.settling.warnings


def test_a_journal_that_is_too_old_may_have_been_settled_and_is_left_alone(
    made: Bench, tmp_path: Path
) -> None:
    with falling_back(made, tmp_path / "j") as worker:
        let_through(worker)
        made.clock.now += settling.OLD_MS + 1

        assert {} == worker.settle()
        assert "is older than 30 days" in worker.settling.warnings[0]


def test_what_is_late_is_named_with_what_it_was(
    made: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with falling_back(made, tmp_path / "j") as worker:
        made.clock.now = 1_700_000_000_000  # its month is over by the store's clock
        made.views.renew(made.snapshots.peek)
        worker.lose_store()
        worker.consume("calls", 3)
        worker.find_store()
        made.clock.now = 1_700_000_100_000

        assert {"late": 1} == worker.settle()
    assert "is not counted (3 of 'calls'): no counter of its period is kept any more" in caplog.text
    assert [] == list((tmp_path / "j").iterdir())


def test_a_store_that_fails_meanwhile_is_asked_again_for_what_is_left(
    made: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with falling_back(made, tmp_path / "j") as worker:
        let_through(worker)
        real = JournalScript.settle
        failures: list[object] = []

        def fails(
            self: JournalScript, journal_id: str, entries: list[JournalEntry], *rest: Any
        ) -> list[int]:
            if self.grain(entries[0]) == 2 and len(failures) < 3:
                failures.append(entries)
                error = StoreUnavailable("a node is gone")
                error.partial = True
                raise error
            return real(self, journal_id, entries, *rest)

        monkeypatch.setattr(JournalScript, "settle", fails)
        worker.settle()
        waiting = worker.settling.unsettled

        assert 0 < waiting < 2 * len(CUSTOMERS)
        assert 0 in usage(made)
        worker.settle()
        worker.settle()
        assert waiting == worker.settling.unsettled
        worker.settle()
        assert 0 == worker.settling.unsettled
        assert [2] * len(CUSTOMERS) == usage(made)


def test_those_who_watch_a_customer_hear_of_what_is_counted(made: Bench, tmp_path: Path) -> None:
    with falling_back(made, tmp_path / "j") as worker:
        let_through(worker)
        worker.usage.watched = frozenset({"c3"})
        worker.settle()

        assert [("c3", "", "calls")] == worker.usage.take()


def test_settling_has_nothing_to_say_of_a_journal_that_is_settled(
    made: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "quotad.journal")
    with falling_back(made, tmp_path / "j") as worker:
        let_through(worker)
        worker.settle()
        worker.settle()

    assert 1 == caplog.text.count("is settled: 24 calls")
