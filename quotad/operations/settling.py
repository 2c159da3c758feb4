"""What journals hold goes to the store: each entry once, in the order of its journal.

A journal that is settled in full is removed. One that cannot be read in full is settled as far as
it can, told of, and kept aside; one of another store is told of, and left alone.
"""

import logging
from collections.abc import Callable, Sequence

import msgspec

from quotad.errors import StoreError
from quotad.feed.usage import UsageNotes
from quotad.journal import Journal, JournalEntry
from quotad.journal.directory import LockedFile
from quotad.journal.entries import JournalContent, read_journal
from quotad.plural import plural
from quotad.store.journals import REACHED_KEPT_MS, JournalOutcome, JournalScript
from quotad.store.ledger import NOT_NOTED, LedgerWords

TOGETHER_MAX = 200
"""Most entries that one script call settles: others wait for it."""

OLD_MS = REACHED_KEPT_MS // 3
"""From this age on a journal is left alone: what is settled of it may be forgotten."""

SETTLED_COUNTS = (COUNTED, REPLAYED, LATE, GONE, DAMAGED) = (
    "counted",
    "replayed",
    "late",
    "gone",
    "damaged",
)
"""What becomes of entries, in the words of metrics."""

_WORDS = {
    JournalOutcome.COUNTED: COUNTED,
    JournalOutcome.REPLAYED: REPLAYED,
    JournalOutcome.LATE: LATE,
    JournalOutcome.GONE: GONE,
    JournalOutcome.DAMAGED: DAMAGED,
}

_log = logging.getLogger("quotad.journal")


class _LeftAlone(msgspec.Struct, frozen=True):
    """A file that is not settled."""

    why: str
    entries: int
    store_id: str
    """Of the store at that time; on another one it is looked at again."""


class _Progress(msgspec.Struct):
    """What is known of a file."""

    settled: dict[int, int]
    """By grain, the sequence of the last entry that is settled."""


class SettlingOperations:
    """Settles the journals of this process, and those that ended ones have left; of one thread.

    Args:
        journal: of this process.
        script: settles in the store.
        now_ms: Unix time, as journals have it.
        on_adopted: called with the entries of a journal that was taken over.
        usage: takes what was counted, for listeners.
        note: describes entries for the ledger; None: nothing goes there.
    """

    def __init__(
        self,
        journal: Journal,
        script: JournalScript,
        now_ms: Callable[[], int],
        on_adopted: Callable[[Sequence[JournalEntry]], None],
        usage: UsageNotes,
        note: Callable[[Sequence[JournalEntry]], LedgerWords] | None = None,
    ) -> None:
        self._journal = journal
        self._script = script
        self._now_ms = now_ms
        self._on_adopted = on_adopted
        self._usage = usage
        self._note = note or (lambda _: NOT_NOTED)
        self._progress: dict[LockedFile, _Progress] = {}
        self._left_alone: dict[LockedFile, _LeftAlone] = {}
        self.counts = dict.fromkeys(SETTLED_COUNTS, 0)
        """Entries so far, by what became of them."""
        self.unsettled = 0
        """Entries on disk that are not settled, at the last look."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator has to look at."""
        return tuple([each.why for each in self._left_alone.values()])

    def adopt(self) -> None:
        """Take over the journals of processes that have ended; needs no store."""
        for file in self._journal.adopt():
            content = read_journal(file.read())
            if content.head is not None:
                _log.info(
                    "%s was left by a process that has ended: %s",
                    file.path,
                    plural(len(content.entries), "call"),
                )
            self._on_adopted(content.entries)

    def settle(self) -> bool:
        """Settle what can be settled now; what cannot stays for the next time.

        Returns:
            Whether some had to stay although the store is there, as a node of it is gone.

        Raises:
            StoreError: the store is gone altogether.
        """
        stuck: set[int] = set()
        unsettled = stuck_entries = 0
        failed: StoreError | None = None
        for file, length in self._journal.files():
            left_alone = self._left_alone.get(file)
            if left_alone is not None and left_alone.store_id == self._journal.store_id:
                unsettled += left_alone.entries
                continue
            content = read_journal(file.read()[:length])
            why = self._why_not(file, content)
            if why:
                entries, store_id = len(content.entries), self._journal.store_id
                self._left_alone[file] = _LeftAlone(why, entries, store_id)
                _log.error("%s", why)
                unsettled += entries
                continue
            self._left_alone.pop(file, None)
            left, error = self._settle_file(file, content, stuck)
            failed = failed or error
            unsettled += left
            stuck_entries += left
            if not left:
                self._finish(file, length, content)
        self.unsettled = unsettled
        if failed is not None and not getattr(failed, "partial", False):
            raise failed
        return stuck_entries > 0

    def _settle_file(
        self, file: LockedFile, content: JournalContent, stuck: set[int]
    ) -> tuple[int, StoreError | None]:
        """Settle entries, shard by shard; returns how many are left, and why."""
        head = content.head
        journal_id = file.path.stem if head is None else head.journal_id
        progress = self._progress.setdefault(file, _Progress({}))
        by_grain: dict[int, list[JournalEntry]] = {}
        for entry in content.entries:
            grain = self._script.grain(entry)
            if entry.sequence > progress.settled.get(grain, 0):
                by_grain.setdefault(grain, []).append(entry)
        left, failed = 0, None
        for grain, entries in by_grain.items():
            at = 0
            while at < len(entries) and grain not in stuck:
                some = entries[at : at + TOGETHER_MAX]
                try:
                    outcomes = self._script.settle(journal_id, some, self._note(some))
                except StoreError as error:
                    stuck.add(grain)  # what is older comes first, in every journal
                    failed = failed or error
                    break
                self._count(outcomes, some)
                progress.settled[grain] = some[-1].sequence
                at += len(some)
            left += len(entries) - at
        return left, failed

    def _count(self, outcomes: Sequence[int], entries: Sequence[JournalEntry]) -> None:
        for outcome, entry in zip(outcomes, entries, strict=True):
            if outcome == JournalOutcome.BEFORE:
                continue
            self.counts[_WORDS[JournalOutcome(outcome)]] += 1
            for feature_id, resource_id, _ in entry.items:
                self._usage.note(entry.customer_id, feature_id, resource_id)
            if outcome in (JournalOutcome.LATE, JournalOutcome.DAMAGED):
                features = ", ".join(
                    f"{quantity:,} of {name!r}" for name, _, quantity in entry.items
                )
                why = (
                    "no counter of its period is kept any more"
                    if outcome == JournalOutcome.LATE
                    else "a counter is damaged"
                )
                _log.error("an entry of a journal is not counted (%s): %s", features, why)

    def _finish(self, file: LockedFile, length: int, content: JournalContent) -> None:
        """Remove a file of which all is settled, or keep it aside for what cannot be read."""
        if not self._journal.release(file, length):
            return  # it was written to meanwhile
        self._progress.pop(file, None)
        try:
            if content.damaged:
                lost = sum(end - start for start, end in content.damaged)
                aside = self._journal.directory.keep_aside(file)
                _log.error(
                    "%s: %s from byte %d on cannot be read, and what they hold is not counted;"
                    " what can be read is, and the file is kept",
                    aside,
                    plural(lost, "byte"),
                    content.damaged[0][0],
                )
                return
            self._journal.directory.remove(file)
        except OSError:
            _log.exception("%s: settled, and cannot be removed", file.path)
            return
        _log.info("%s is settled: %s", file.path, plural(len(content.entries), "call"))

    def _why_not(self, file: LockedFile, content: JournalContent) -> str:
        """Why a file must not be settled; empty: it may."""
        head = content.head
        if head is None:
            if content.entries:
                return (
                    f"{file.path}: its head cannot be read, so it is not known which store it is"
                    " of; it is left alone"
                )
            return ""
        if head.store_id != self._journal.store_id:
            return (
                f"{file.path} is of another store (id {head.store_id}, and this is"
                f" {self._journal.store_id}); it is left alone: start a server on that store with"
                " this directory, or remove the file"
            )
        if head.made_ms < self._now_ms() - OLD_MS:
            return (
                f"{file.path} is older than {OLD_MS // 86_400_000} days, and whether it was settled"
                " may be forgotten; it is left alone"
            )
        return ""
