"""Exports of a ledger in the process, step by step: no thread, no pause."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from quotad.decision import ConsumeRequest
from quotad.export import ExportTarget, Folding
from quotad.export.exporter import Exporter
from quotad.ledger import LedgerEntry
from quotad.operations.exports import ExportOperations, ExportWatch
from quotad.outbox import OutboxItem
from quotad.store.exports import ExportRecords
from quotad.store.ledger import LedgerStreams
from tests.deciding import Bench
from tests.raw import raw


class Here(Executor):
    """Runs everything at once, in the thread of the caller."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 (the future has it)
            done.set_exception(error)
        return done


class Remembered:
    """A target that keeps what it is sent, one item for each entry, in a queue per customer."""

    name = "files"
    senders = 2

    def __init__(self) -> None:
        self.sent: list[str] = []
        """Ids of the entries."""
        self.arrived: list[tuple[str, str]] = []
        """Customer and what it was."""
        self.fail: Callable[[OutboxItem], None] = lambda _: None

    def look(self) -> None:
        pass

    def fold(self, folding: Folding, entries: Sequence[LedgerEntry]) -> None:
        for entry in entries:
            if entry.customer_id == "poison":
                raise ValueError("it is poisoned")
            folding.put(
                OutboxItem(
                    id=entry.id,
                    queue=entry.customer_id,
                    kind="entry",
                    body=entry.key.encode(),
                    made_ms=folding.now_ms,
                    about=entry.customer_id,
                )
            )

    def close(self, folding: Folding, read_until_ms: int) -> None:
        pass

    def send(self, item: OutboxItem) -> None:
        self.fail(item)
        self.sent.append(item.id)
        self.arrived.append((item.queue, item.body.decode()))


class Exported:
    """An engine, its ledger and what is exported of that."""

    def __init__(self, made: Bench) -> None:
        self.made = made
        self.records = ExportRecords(made.store, made.keys)
        self.streams = LedgerStreams(made.store, made.keys)
        self.operations = ExportOperations(self.records)

    def take(
        self, customer_id: str, quantity: int = 1, feature_id: str = "mails", key: str = ""
    ) -> None:
        self.made.engine.decide(
            [ConsumeRequest(customer_id, feature_id, quantity, idempotency_key=key)]
        )

    def exporter(self, target: ExportTarget, from_oldest: bool = True) -> Exporter:
        return Exporter(self.records, self.streams, [target], from_oldest=from_oldest)

    def end_lease(self, target: ExportTarget) -> None:
        """Let others take the parts of a target, as when the time of a process is over."""
        for name in self.records.parts:
            key = self.made.keys.export(target.name, name)
            raw(self.made.store).hset(key, "until", 1)

    def copy(self) -> dict[bytes, tuple[bytes, int]]:
        """All that the store has, as a backup."""
        store = raw(self.made.store)
        names = store.keys(f"{self.made.keys.prefix}:*")
        return {name: (store.dump(name), max(store.pttl(name), 0)) for name in names}

    def restore(self, copy: dict[bytes, tuple[bytes, int]]) -> None:
        """Put the store back to a copy."""
        store = raw(self.made.store)
        store.delete(*store.keys(f"{self.made.keys.prefix}:*"))
        for name, (dump, ttl) in copy.items():
            store.restore(name, ttl, dump)

    def pass_time(self) -> None:
        """Wait until the store's clock has another millisecond."""
        before = self.records.now_ms()
        while self.records.now_ms() == before:
            pass

    def watch(self) -> ExportWatch:
        found = ExportWatch(self.records, self.records.now_ms)
        found.look()
        return found


def run(exporter: Exporter, target: ExportTarget, most: int = 100) -> None:
    """Go round until nothing is left to be done at once."""
    for _ in range(most):
        if not exporter.round(target, Here()):
            return
    raise AssertionError("it does not come to an end")
