"""From the event loop to the decision threads and back.

What one tick of the event loop asks is handed over together. A thread takes all that waits then,
decides it in one go, and hands all answers back in one go: two crossings per batch, not per
request.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import msgspec

from quotad.decision import ConsumeRequest, Decision
from quotad.errors import TOO_LONG, QuotadError, internal_error
from quotad.ledger import NOBODY, Taker, Takers
from quotad.operations.decisions import DecisionOperations

DecisionOrError = Decision | QuotadError
"""Of one request; an error is a value here, as many requests may share one."""


class OnThread(msgspec.Struct, frozen=True):
    """What is decided by itself and not in a batch; runs on a decision thread."""

    act: Callable[[DecisionOperations], Any]
    taker: Taker
    """Whose doing it is."""
    customer_id: str = ""
    """Whom it is about; empty: several, or none."""


Settle = Callable[[Any], None]
"""Takes an answer, on the event loop."""

Asked = tuple[Settle, "ConsumeRequest | Sequence[ConsumeRequest] | OnThread", Taker]
"""And whose doing it is."""

Answered = tuple[Settle, object]

T = TypeVar("T")

_log = logging.getLogger("quotad.http")


class Deciding:
    """Where the event loop asks for decisions; all methods are for its thread alone.

    Args:
        batch_max: most requests that a thread decides in one go; those of one tick stay together.
    """

    def __init__(self, batch_max: int) -> None:
        self.batch_max = batch_max
        self.waiting: SimpleQueue[list[Asked] | None] = SimpleQueue()
        """What ticks have handed over; None: a thread is to end."""
        self._tick: list[Asked] = []

    def decide(self, request: ConsumeRequest, taker: Taker) -> "asyncio.Future[DecisionOrError]":
        """Decide a request, which is somebody's doing, together with all others of this tick."""
        return self._ask(request, taker)

    def decide_all(
        self, requests: Sequence[ConsumeRequest], taker: Taker
    ) -> "asyncio.Future[list[DecisionOrError]]":
        """The same of several requests."""
        return self._ask(requests, taker)

    def run(
        self, act: Callable[[DecisionOperations], T], taker: Taker, customer_id: str = ""
    ) -> "asyncio.Future[T | QuotadError]":
        """Call a function on a decision thread, after the batch that it waits with.

        Args:
            act: the function.
            taker: whose doing it is.
            customer_id: whom it is about; empty: several, or none.
        """
        return self._ask(OnThread(act, taker, customer_id), taker)

    def decide_then(
        self, request: ConsumeRequest, taker: Taker, settle: Callable[[DecisionOrError], None]
    ) -> None:
        """Decide a request as `decide` does; for callers without a task that could wait."""
        if not self._tick:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._tick.append((settle, request, taker))

    def _ask(self, asked: Any, taker: Taker) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if not self._tick:
            loop.call_soon(self._hand_over)
        self._tick.append((partial(_fulfil, future), asked, taker))
        return future

    def _hand_over(self) -> None:
        tick, self._tick = self._tick, []
        self.waiting.put(tick)

    def take(self) -> list[Asked] | None:
        """Wait for requests and take all that are there, on a decision thread; None: there will be
        none."""
        asked = self.waiting.get()
        while asked is not None and len(asked) < self.batch_max:
            more = next_of(self.waiting)
            if more is None:
                break
            asked += more
        return asked


def next_of(waiting: "SimpleQueue[T | None]") -> T | None:
    """What is next in a queue; None: nothing, or the end, which stays there for the next look."""
    try:
        found = waiting.get_nowait()
    except Empty:
        return None
    if found is None:
        waiting.put(None)  # nothing comes after it
    return found


class HttpSlowLane:
    """Where requests about customers of a slow server of the store wait for a thread of their own,
    so that no others wait with them.

    Args:
        batch_max: as of `Deciding`.
        feeders: how many threads leave requests here.
        patience_s: a request that has waited longer is refused; nothing was sent for it.
        slow: tells customers of slow servers apart, at the moment; returns None: there are none.
    """

    def __init__(
        self,
        batch_max: int,
        feeders: int,
        patience_s: float,
        slow: Callable[[], Callable[[str], bool] | None],
    ) -> None:
        self._batch_max = batch_max
        self._feeders = feeders
        self._patience_s = patience_s
        self._slow = slow
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[tuple[float, list[Asked]] | None] = SimpleQueue()
        """Since when, and what."""
        self._first: tuple[float, list[Asked]] | None = None
        """What was taken from there, and comes next."""

    def take_slow(self, asked: list[Asked]) -> list[Asked]:
        """Take those requests that a slow server is to be asked for; returns the others."""
        is_slow = self._slow()
        if is_slow is None:
            return asked
        taken: list[Asked] = []
        left: list[Asked] = []
        for each in asked:
            (taken if any(map(is_slow, _customers_of(each[1]))) else left).append(each)
        if taken:
            self._waiting.put((time.monotonic(), taken))
        return left

    def take(self) -> list[Asked] | None:
        """As `Deciding.take`; None once every thread that fed it has ended."""
        waited, self._first = self._first or self._waiting.get(), None
        if waited is None:
            return None
        asked: list[Asked] = []
        late_before = time.monotonic() - self._patience_s
        is_late = waited[0] < late_before
        while waited is not None:
            since, some = waited
            if is_late and since >= late_before:
                self._first = waited  # what is refused does not wait for what is decided
                break
            asked += (
                [(settle, _refused(w), taker) for settle, w, taker in some] if is_late else some
            )
            waited = next_of(self._waiting) if len(asked) < self._batch_max else None
        return asked

    def leave(self) -> None:
        """Note that a thread leaves no more requests here; with the last one, the lane ends."""
        with self._lock:
            self._feeders -= 1
            if not self._feeders:
                self._waiting.put(None)


def _refused(wanted: "ConsumeRequest | Sequence[ConsumeRequest] | OnThread") -> OnThread:
    """What stands for a request that has waited too long, and is answered without the store."""

    def refuse(_: DecisionOperations) -> list[QuotadError]:
        if isinstance(wanted, Sequence):
            return [TOO_LONG] * len(wanted)
        raise TOO_LONG

    return OnThread(refuse, NOBODY)


def _customers_of(wanted: "ConsumeRequest | Sequence[ConsumeRequest] | OnThread") -> list[str]:
    if isinstance(wanted, Sequence):
        return [each.customer_id for each in wanted]
    return [wanted.customer_id] if wanted.customer_id else []


class HttpDecider(threading.Thread):
    """One decision thread, with its own connection to the store.

    Args:
        number: for its name.
        source: where requests come from.
        decisions: what decides.
        loop: where answers go.
        lane: takes those that would have others wait; None: there is none.
    """

    def __init__(
        self,
        number: int,
        source: Deciding | HttpSlowLane,
        decisions: DecisionOperations,
        loop: Callable[[], asyncio.AbstractEventLoop],
        lane: HttpSlowLane | None = None,
    ) -> None:
        super().__init__(name=f"quotad-http-decider-{number}", daemon=True)
        self._source = source
        self._decisions = decisions
        self._loop = loop
        self._lane = lane
        self._begun = 0
        self._done = 0
        self._seen = 0

    def run(self) -> None:
        """Decide until the end is in the queue."""
        while (asked := self._source.take()) is not None:
            self._begun += 1
            if self._lane is not None:
                asked = self._lane.take_slow(asked)
            answers = decided(self._decisions, asked)
            try:
                self._loop().call_soon_threadsafe(_resolve, answers)
            except RuntimeError:  # the loop has closed: no client is left that waits
                _log.warning("%d answers came after the last client was gone", len(answers))
            self._done += 1
        if self._lane is not None:
            self._lane.leave()
        self._decisions.close()

    def has_progressed(self) -> bool:
        """Whether it waits for requests, or has begun another batch since the last look."""
        begun, before = self._begun, self._seen
        self._seen = begun
        return begun == self._done or begun != before


def decided(decisions: DecisionOperations, asked: Sequence[Asked]) -> list[Answered]:
    """Decide all requests together, then what is decided by itself; answer every one of them."""
    requests: list[ConsumeRequest] = []
    acts: list[tuple[Settle, OnThread]] = []
    starts, who = [0], [asked[0][2] if asked else NOBODY]
    for settle, wanted, taker in asked:
        if taker != who[-1]:
            starts.append(len(requests))
            who.append(taker)
        if isinstance(wanted, ConsumeRequest):
            requests.append(wanted)
        elif isinstance(wanted, Sequence):
            requests += wanted
        else:
            acts.append((settle, wanted))
    answers: list[Answered] = []
    if requests:
        try:
            outcomes: list[DecisionOrError] = decisions.decide(requests, Takers(who, starts))
        except Exception as error:  # noqa: BLE001 (no request may be left without an answer)
            outcomes = [_unforeseen(error)] * len(requests)
        at = 0
        for settle, wanted, _ in asked:
            if isinstance(wanted, ConsumeRequest):
                answers.append((settle, outcomes[at]))
                at += 1
            elif isinstance(wanted, Sequence):
                answers.append((settle, outcomes[at : at + len(wanted)]))
                at += len(wanted)
    for settle, act in acts:
        decisions.act_for(act.taker)
        try:
            answers.append((settle, act.act(decisions)))
        except QuotadError as error:
            answers.append((settle, error))
        except Exception as error:  # noqa: BLE001
            answers.append((settle, _unforeseen(error)))
    return answers


def _resolve(answers: Sequence[Answered]) -> None:
    for settle, answer in answers:
        try:
            settle(answer)
        except Exception:  # noqa: BLE001 (others wait for theirs)
            _log.exception("an answer could not be given")


def _fulfil(future: "asyncio.Future[Any]", answer: object) -> None:
    if not future.done():  # its client may be gone
        future.set_result(answer)


def _unforeseen(error: Exception) -> QuotadError:
    """Return the error of a request that failed by a bug: its text stays in the log."""
    _log.error("a request failed", exc_info=error)
    return internal_error()
