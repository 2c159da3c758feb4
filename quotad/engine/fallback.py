"""Calls that were never sent to a store that is gone, answered by the policies of their features.

What is let through is on disk before it is answered, see `quotad.journal`. A call that was sent is
never answered here: it may have taken what it asked for, and would be counted twice.
"""

import threading
from collections.abc import Collection, Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import (
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    Explanation,
    Mode,
)
from quotad.engine.fallback_rules import (
    FallbackPlan,
    KnownPolicies,
    Policies,
    as_fallback,
    denied_by_plan,
    fits,
    plan_fallback,
)
from quotad.engine.fold import fold
from quotad.engine.given import mismatch
from quotad.engine.joint import fold_all
from quotad.engine.let_through import LetThrough
from quotad.engine.meters import room_for
from quotad.engine.rounds import AtPlace, Planned, Round
from quotad.engine.views import View, view_name
from quotad.entitlements.resolve import resolve
from quotad.errors import QuotadError
from quotad.fallback import FallbackPolicy
from quotad.journal import Journal, JournalCounter, JournalEntry, JournalError
from quotad.recent import Recent
from quotad.store import ChargeStatus, KeySpace, Settlement
from quotad.store.keys import escape

GUESSES_MAX = 10_000
"""Most views of customers that are not in memory, who are taken to be on the default plan."""

KEYS_MAX = 100_000
"""Most idempotency keys that are remembered."""

RETRY_AFTER_MS = 1_000
"""Of a denial: the store may be back."""

FALLBACK_COUNTS = (ALLOWED, DENIED, REFUSED) = ("allowed", "denied", "refused")
"""What becomes of calls: REFUSED are those whose policy is to deny, or that nothing is known of."""


class _Answered(msgspec.Struct, gc=False):
    """An answer on its way."""

    place: int
    one: Planned
    answer: Decision
    entry: JournalEntry | None
    taken: list[tuple[str, int]]
    """Counters, and what was noted as let through."""


class Fallback:
    """Answers by policy; shared by the decision threads of a worker.

    Args:
        journal: of this process.
        keys: of the store.
        default: the policy of features where neither they nor the catalog have one.
        workers: how many worker processes share what is let through.
    """

    def __init__(
        self, journal: Journal, keys: KeySpace, default: FallbackPolicy, workers: int
    ) -> None:
        self._journal = journal
        self._keys = keys
        self._workers = max(workers, 1)
        self._lock = threading.Lock()
        self._policies = KnownPolicies(default)
        self._guesses: Recent[str, View] = Recent(GUESSES_MAX)
        self._answers: Recent[tuple[str, str], tuple[str, Decision]] = Recent(KEYS_MAX)
        self.let_through = LetThrough()
        self.counts = dict.fromkeys(FALLBACK_COUNTS, 0)
        """Calls so far, by what became of them."""

    def guess(self, customer_id: str, resource_id: str, snapshot: Snapshot, now_ms: int) -> View:
        """The view of a customer that nothing is known of: on the default plan."""
        name = view_name(customer_id, resource_id)
        view = self._guesses.get(name)
        if view is None or view.snapshot is not snapshot or now_ms >= view.until_ms:
            effective = resolve(None, snapshot, now_ms, customer_id, resource_id)
            keys = self._keys.customer(customer_id, resource_id)
            view = View(snapshot, now_ms, 0, keys, effective, {}, effective.until_ms)
            self._guesses.put(name, view)
        return view

    def note_adopted(self, entries: Sequence[JournalEntry]) -> None:
        """Keep count of what another process has let through, which is not settled yet."""
        with self._lock:
            for entry in entries:
                usage = self._keys.customer(entry.customer_id).usage
                for counter in entry.counters:
                    self.let_through.add(usage + counter.suffix, counter.amount, counter.expires_ms)

    def answer(
        self,
        round_: Round,
        unsent: Sequence[AtPlace],
        snapshot: Snapshot,
        now_ms: int,
        guessed: Collection[int] = (),
    ) -> list[AtPlace]:
        """Answer calls that were not sent, as their features' policies have it.

        Args:
            round_: the batch.
            unsent: some of those that are planned.
            snapshot: the catalog that they are planned on.
            now_ms: Unix time.
            guessed: places of those that are planned on a guessed view.

        Returns:
            Those that are denied: by policy, or because they could not be written down.
        """
        if not round_.falls_back or not self._journal.usable:
            return list(unsent)
        policies = self._policies.of(snapshot)
        left: list[AtPlace] = []
        with self._lock:
            answered: list[_Answered] = []
            for place, one in unsent:
                try:
                    found = self._answer_one(place, one, round_, policies, now_ms, guessed)
                except Exception:  # noqa: BLE001 (others in the batch must not pay for it)
                    round_.failed(place)
                    continue
                if found is None:
                    left.append((place, one))
                elif isinstance(found, _Answered):
                    answered.append(found)
                else:
                    round_.answers[place] = found
            left += self._write_down(round_, answered)
            self.counts[REFUSED] += len(left)
        return left

    def _write_down(self, round_: Round, answered: Sequence[_Answered]) -> list[AtPlace]:
        """Answer what is on disk, or need not be; returns what cannot be written."""
        entries = [each.entry for each in answered if each.entry is not None]
        failed = False
        if entries:
            try:
                self._journal.append(entries)
            except JournalError:
                failed = True
        left: list[AtPlace] = []
        unwritten: set[tuple[str, str]] = set()
        for each in answered:
            once = each.one.once
            key = None if once is None else (each.one.keys.customer_id, once.key)
            if failed and (each.entry is not None or key in unwritten):
                self.let_through.take_back(each.taken)
                if key is not None:  # also for those that have repeated it in this batch
                    unwritten.add(key)
                    self._answers.drop(key)
                left.append((each.place, each.one))
                continue
            round_.answers[each.place] = each.answer
            self.counts[ALLOWED if each.answer.allowed else DENIED] += 1
        return left

    def _answer_one(
        self,
        place: int,
        one: Planned,
        round_: Round,
        policies: Policies,
        now_ms: int,
        guessed: Collection[int],
    ) -> _Answered | QuotadError | None:
        """Return the answer, why the call can never work, or None: it is denied."""
        request = round_.requests[place]
        plan = plan_fallback(one, request, policies, self._workers)
        if plan is None or (place in guessed and denied_by_plan(plan.parts)):
            return None
        once, customer_id = one.once, request.customer_id
        if once is not None:
            known = self._answers.get((customer_id, once.key))
            if known is not None:
                if known[0] != once.fingerprint:
                    return mismatch(request)
                return _Answered(
                    place, one, msgspec.structs.replace(known[1], replayed=True), None, []
                )
        names = [one.keys.usage + each.suffix for each in plan.counters]
        if any(each.counted for each in plan.counters) and not self.let_through.has_room(
            names, now_ms
        ):
            return None
        used = [self.let_through.of(name) for name in names]
        denied = denied_by_plan(plan.parts) or (
            request.mode not in (Mode.ADJUST_ONLY, Mode.BEST_EFFORT)
            and not fits(plan.counters, used)
        )
        answer = _fold(plan, request, used, now_ms, policies.snapshot.version, denied)
        amounts = [each.amount for each in plan.counters]
        if request.mode == Mode.BEST_EFFORT:
            amounts = [answer.granted] * len(amounts)
        if denied or not answer.allowed or request.mode == Mode.CHECK_ONLY or not any(amounts):
            return _Answered(place, one, answer, None, [])
        taken = list(zip(names, amounts, strict=True))
        for (name, amount), each in zip(taken, plan.counters, strict=True):
            self.let_through.add(name, amount, each.expires_ms)
        entry = _entry(one, request, amounts, plan, now_ms)
        entry = msgspec.structs.replace(entry, taker=round_.takers.at(place))
        if once is not None:
            self._answers.put((customer_id, once.key), (once.fingerprint, answer))
        return _Answered(place, one, answer, entry, taken)


def _fold(
    plan: FallbackPlan,
    request: ConsumeRequest,
    used: Sequence[int],
    now_ms: int,
    version: int,
    denied: bool,
) -> Decision:
    """The decision, as the store's answer would be folded to one."""
    shown = [max(each, 0) for each in used]
    if request.mode == Mode.BEST_EFFORT:
        (part,) = plan.parts
        denied = denied or (bool(part.terms) and room_for(part.terms, shown, request.quantity) <= 0)
    status = ChargeStatus.DENIED if denied else ChargeStatus.ALLOWED
    settlement = Settlement(status, tuple(shown))
    if isinstance(request, ConsumeAllRequest):
        joint = fold_all(plan.parts, request, settlement, now_ms, version)
        items = tuple([_marked(item) for item in joint.items])
        return _marked(msgspec.structs.replace(joint, items=items))
    (part,) = plan.parts
    answer = part.given or fold(part.terms, request, settlement, now_ms, version)
    if request.explain:
        answer = msgspec.structs.replace(answer, explanation=Explanation((), left_out=True))
    return _marked(answer)


def _marked(answer: Decision) -> Decision:
    marked = as_fallback(answer)
    if marked.allowed or marked.limit is None:
        return marked
    return msgspec.structs.replace(marked, retry_after_ms=RETRY_AFTER_MS)


def _entry(
    one: Planned,
    request: ConsumeRequest,
    amounts: Sequence[int],
    plan: FallbackPlan,
    now_ms: int,
) -> JournalEntry:
    # The usage keys of a customer start as those of its resources do.
    resource = escape(request.resource_id) if request.resource_id else ""
    items: tuple[ConsumeRequest, ...] = (request,)
    if isinstance(request, ConsumeAllRequest):
        items = request.items
    once = one.once
    return JournalEntry(
        0,
        request.occurred_ms or now_ms,
        request.customer_id,
        one.epoch,
        tuple(
            [
                JournalCounter(resource + each.suffix, amount, each.expires_ms)
                for each, amount in zip(plan.counters, amounts, strict=True)
                if amount
            ]
        ),
        tuple([(item.feature_id, item.resource_id, item.quantity) for item in items]),
        *(() if once is None else (once.key, once.fingerprint, once.memo, once.ttl_ms)),
    )
