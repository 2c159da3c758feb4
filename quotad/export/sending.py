"""From the record of a part to its target: what is due is sent, queue by queue, in order."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import msgspec

from quotad.backoff import pause_s
from quotad.export.outcomes import Later, Partly, SetAside
from quotad.export.state import PartState
from quotad.export.target import ExportTarget
from quotad.outbox import RECORD, OutboxItem

_log = logging.getLogger("quotad.export")

FIRST_S, MOST_S = 0.5, 300.0
"""Pauses after failures."""

UNEXPECTED_S = 3600.0
"""How long an item is set aside that the target has failed at without a reason."""

ROUNDS = 4
"""Items that are chosen at once, for each sender."""

_Outcome = Exception | None


class PartSender:
    """Sends items of one part; of one thread, beside those of the pool.

    Args:
        target: what sends.
        pool: whose threads it does so on.
        now_s: monotonic time (s).
        spread: draws from 0 to 1, as for `pause_s`.
    """

    def __init__(
        self,
        target: ExportTarget,
        pool: Executor,
        now_s: Callable[[], float],
        spread: Callable[[], float],
    ) -> None:
        self._target = target
        self._pool = pool
        self._now_s = now_s
        self._spread = spread
        self._failures: dict[str, tuple[int, float]] = {}
        """By queue, how often in a row its first item has failed, and when it is tried again."""
        self._all_failures = (0, 0.0)
        """The same of all queues."""

    def choose(self, state: PartState, now_ms: int) -> list[int]:
        """The numbers of items that are to be sent now; they are marked as about to be sent.

        What is chosen has to be written before it is sent.
        """
        now_s = self._now_s()
        if self._all_failures[1] > now_s:
            return []
        most = self._target.senders * ROUNDS
        chosen: list[int] = []
        busy: set[str] = set()
        for number, item in state.items.items():
            if len(chosen) >= most:
                break
            if item.parked:
                aside = f"parked {item.queue}"
                if item.kind != RECORD and 0 < item.again_ms <= now_ms and aside not in busy:
                    busy.add(aside)
                    chosen.append(number)
                continue
            if item.queue in busy:
                continue
            busy.add(item.queue)
            if self._failures.get(item.queue, (0, 0.0))[1] <= now_s:
                chosen.append(number)
        for number in chosen:
            item = state.items[number]
            if not item.sent_ms:
                state.change(number, msgspec.structs.replace(item, sent_ms=now_ms))
        return chosen

    def send(self, state: PartState, chosen: Sequence[int], now_ms: int) -> None:
        """Send what was chosen, and note what became of it."""
        items = [state.items[number] for number in chosen]
        for number, item, outcome in zip(
            chosen, items, self._pool.map(self._try, items), strict=True
        ):
            self._note(state, number, item, outcome, now_ms)

    def _try(self, item: OutboxItem) -> _Outcome:
        try:
            self._target.send(item)
        except Exception as error:  # noqa: BLE001 (what becomes of the item is decided by it)
            return error
        return None

    def _note(
        self, state: PartState, number: int, item: OutboxItem, outcome: _Outcome, now_ms: int
    ) -> None:
        before = state.progress
        if item.sent_ms == now_ms and getattr(outcome, "definite", False):
            item = msgspec.structs.replace(item, sent_ms=0)  # no doubt is left of this attempt
        if outcome is None or isinstance(outcome, Partly):
            self._failures.pop(item.queue, None)
            self._all_failures = (0, 0.0)
            if isinstance(outcome, Partly):
                changed = msgspec.structs.replace(item, state=outcome.state)
                state.change(number, changed)
                return
            state.change(number, None)
            state.progress = msgspec.structs.replace(before, sent=before.sent + 1)
            return
        if isinstance(outcome, Later) and not item.parked:
            self._wait(item, outcome)
            state.change(number, msgspec.structs.replace(item, tries=item.tries + 1))
            failures = before.failures + 1
            state.progress = msgspec.structs.replace(
                before, failures=failures, problem=str(outcome)
            )
            return
        why, again_s = str(outcome), UNEXPECTED_S
        if isinstance(outcome, SetAside):
            again_s = outcome.again_s
        elif not isinstance(outcome, Later):
            why = f"{type(outcome).__name__}: {outcome}"
            _log.error("%s: item %s failed", self._target.name, item.id, exc_info=outcome)
        again_ms = now_ms + round(again_s * 1000) if again_s else 0
        if not item.parked:
            _log.warning("%s: %s is parked: %s", self._target.name, item.about or item.id, why)
        parked = msgspec.structs.replace(item, parked=why, again_ms=again_ms, tries=item.tries + 1)
        state.change(number, parked)
        state.progress = msgspec.structs.replace(before, failures=before.failures + 1)

    def _wait(self, item: OutboxItem, outcome: Later) -> None:
        failures, _ = (
            self._all_failures if outcome.everything else self._failures.get(item.queue, (0, 0.0))
        )
        pause = pause_s(failures, FIRST_S, MOST_S, self._spread())
        waiting = (failures + 1, self._now_s() + pause)
        if not outcome.everything:
            self._failures[item.queue] = waiting
            return
        if self._all_failures[1] <= self._now_s():  # several of one round have failed together
            _log.warning("%s: %s; trying again in %.1f s", self._target.name, outcome, pause)
            self._all_failures = waiting
