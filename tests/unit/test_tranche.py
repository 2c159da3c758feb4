"""What a process may spend of a lease: never more than was lent, never after its term."""

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

import pytest

from quotad.client import AsyncClient, Client
from quotad.client.calls import Attempt, Consumption, Policy, Steps
from quotad.client.errors import QuotaError, QuotaInvalid, QuotaServerError, QuotaUnavailable
from quotad.client.leased import LeasedClient
from quotad.client.leased_aio import AsyncLeasedClient
from quotad.client.tranche import AHEAD_S, CALLS_MIN, FIRST, PAUSE_S, Tranche, boottime
from quotad.client.tranches import Tranches
from quotad.v1 import quota_pb2 as pb

TERM_S = 5.0
POLICY = Policy(timeout_s=1.0, retries=0)


class Lender:
    """A server that lends from one limit, and whose answers may get lost."""

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self.used = 0
        self.granted: dict[str, int] = {}
        self.calls: list[Any] = []
        self.fails: Exception | None = None
        """Before anything is done."""
        self.loses = False
        """The answer to the next call."""
        self.last = False
        self.renews = True

    def answer(self, attempt: Attempt) -> Any:
        request = attempt.request
        self.calls.append(request)
        if self.fails is not None:
            raise self.fails
        answer = getattr(self, attempt.method)(request)
        if self.loses:
            self.loses = False
            raise QuotaUnavailable("lost", code="UNAVAILABLE")
        return answer

    def AcquireLease(self, request: Any) -> pb.LeaseResponse:
        if request.lease_id not in self.granted:
            self._lend(request.lease_id, 0, request.quantity)
        return self._lent(request.lease_id)

    def RenewLease(self, request: Any) -> pb.LeaseResponse:
        if not self.renews:
            return pb.LeaseResponse(granted=self.granted[request.lease_id])
        self._lend(request.lease_id, request.spent, request.quantity)
        return self._lent(request.lease_id)

    def ReleaseLease(self, request: Any) -> pb.ReleaseLeaseResponse:
        back = self.granted.pop(request.lease_id) - request.spent
        assert back >= 0
        self.used -= back
        return pb.ReleaseLeaseResponse(returned=back)

    def _lend(self, lease_id: str, spent: int, wanted: int) -> None:
        before = self.granted.get(lease_id, 0)
        room = self.limit - self.used + before - spent
        granted = spent + min(wanted, max(before - spent, room))
        assert granted >= spent
        self.used += granted - before
        assert self.used <= self.limit
        self.granted[lease_id] = granted

    def _lent(self, lease_id: str) -> pb.LeaseResponse:
        answer = pb.LeaseResponse(granted=self.granted[lease_id], last=self.last)
        answer.term.FromMilliseconds(int(TERM_S * 1000))
        answer.decision.allowed = True
        answer.decision.limit = self.limit
        return answer


class Holder:
    """A tranche, its server and a clock that only the test moves."""

    def __init__(self, most: int = 100, limit: int = 10_000) -> None:
        self.now = 1_000.0
        self.lender = Lender(limit)
        self.due: list[Tranche] = []
        self.tranche = Tranche(Consumption("acme", "calls"), most, self.due.append, self.clock)

    def clock(self) -> float:
        return self.now

    def take(self, quantity: int = 1) -> bool:
        """Whether it was decided here."""
        taken = self.tranche.take(quantity) is not None
        if not taken:
            self.tranche.miss(quantity)
        return taken

    def tend(self, meanwhile: Callable[[], object] | None = None) -> None:
        """Carry out what is due now; answers of the server arrive after what happens meanwhile."""
        waiting = list(self.due)
        self.due.clear()
        if not waiting and self.tranche.claim(self.now):
            waiting = [self.tranche]
        for tranche in waiting:
            self.run(tranche.tend(POLICY), meanwhile)

    def run(self, steps: Steps[None], meanwhile: Callable[[], object] | None = None) -> None:
        answer: Any = None
        failed: QuotaError | None = None
        while True:
            try:
                step = steps.throw(failed) if failed else steps.send(answer)
            except StopIteration:
                return
            assert isinstance(step, Attempt)
            answer, failed = None, None
            try:
                answer = self.lender.answer(step)
            except QuotaError as error:
                failed = error
            if meanwhile is not None:
                meanwhile()

    def lease(self) -> None:
        """Call until there is a lease."""
        for _ in range(CALLS_MIN):
            assert not self.take()
        self.tend()
        assert self.tranche.held

    def spend(self) -> int:
        """All that can be spent now."""
        spent = 0
        while self.take():
            spent += 1
        return spent

    @property
    def methods(self) -> list[str]:
        return [type(call).__name__.removesuffix("LeaseRequest") for call in self.lender.calls]


@pytest.fixture
def holder() -> Holder:
    return Holder()


def test_a_feature_is_leased_once_it_is_asked_for_often(holder: Holder) -> None:
    for _ in range(CALLS_MIN - 1):
        assert not holder.take()
    assert [] == holder.due
    holder.take()
    holder.tend()

    assert FIRST == holder.tranche.held
    assert FIRST == holder.spend()
    assert FIRST == holder.lender.used


def test_a_feature_that_is_asked_for_now_and_then_is_not_leased(holder: Holder) -> None:
    for _ in range(20):
        holder.take()
        holder.now += AHEAD_S
    assert [] == holder.due


def test_a_decision_of_its_own_says_what_was_taken(holder: Holder) -> None:
    holder.lease()

    one, three, again = (holder.tranche.take(quantity) for quantity in (1, 3, 3))

    assert one is not None
    assert three is not None
    assert (True, 1, 3, 10_000) == (one.allowed, one.granted, three.granted, one.limit)
    assert three is again


def test_half_of_a_tranche_spent_fetches_more_and_the_next_is_larger(holder: Holder) -> None:
    holder.lease()
    for _ in range(FIRST // 2):
        assert holder.take()
    assert [holder.tranche] == holder.due
    holder.now += 0.01
    holder.tend()

    assert ["Acquire", "Renew"] == holder.methods
    assert 50 == holder.tranche.held
    assert [] == holder.due


def test_a_tranche_never_holds_more_than_the_most() -> None:
    holder = Holder(limit=10**9)
    holder.lease()
    for _ in range(200):
        holder.spend()
        holder.now += 0.001
        holder.tend()
        assert holder.tranche.held <= 100
        assert holder.lender.used - holder.tranche.spent <= 100
    assert 100 == holder.tranche.held


def test_nothing_is_spent_after_the_term_even_if_the_clock_jumps_a_night(holder: Holder) -> None:
    holder.lease()
    holder.now += TERM_S - 0.001
    assert holder.take()

    holder.now += 0.001
    assert not holder.take()
    holder.now += 8 * 3600
    assert not holder.take()
    assert 0 == holder.tranche.held


def test_a_term_starts_before_the_request_was_sent(holder: Holder) -> None:
    def slow() -> None:
        holder.now += 2.0

    for _ in range(CALLS_MIN):
        holder.take()
    holder.tend(slow)
    holder.now += TERM_S - 2.0

    assert not holder.take()


def test_what_is_spent_while_a_renewal_is_under_way_is_never_lent_twice(holder: Holder) -> None:
    holder.lease()
    spent = 0

    def meanwhile() -> None:
        nonlocal spent
        spent += holder.spend()

    for _ in range(50):
        holder.now += 0.1
        meanwhile()
        holder.tend(meanwhile)
        assert spent <= holder.lender.used
    holder.run(holder.tranche.give_back(POLICY))

    assert spent == holder.lender.used
    assert spent > 50


def test_less_demand_returns_what_is_more_and_an_idle_tranche_all_of_it(holder: Holder) -> None:
    holder.lease()
    for _ in range(5):
        holder.spend()
        holder.now += 0.01
        holder.tend()
    assert 100 == holder.tranche.held
    holder.take()
    holder.now += TERM_S / 2
    holder.tend()
    assert FIRST == holder.tranche.held
    holder.now += TERM_S / 2
    holder.tend()

    assert 0 == holder.tranche.held
    assert "Release" == holder.methods[-1]
    assert {} == holder.lender.granted


def test_what_is_returned_is_not_spent_while_the_answer_is_under_way(holder: Holder) -> None:
    holder.lease()
    for _ in range(5):
        holder.spend()
        holder.now += 0.01
        holder.tend()
    holder.take()
    holder.now += TERM_S / 2
    spent: list[int] = []
    holder.tend(lambda: spent.append(holder.spend()))

    assert FIRST == spent[0]
    assert holder.tranche.spent <= holder.lender.granted[holder.tranche.lease_id]


@pytest.mark.parametrize("happens", [True, False])
def test_a_renewal_without_an_answer_is_repeated_as_it_was(holder: Holder, happens: bool) -> None:
    holder.lease()
    for _ in range(FIRST // 2):
        holder.take()
    if happens:
        holder.lender.loses = True
    else:
        holder.lender.fails = QuotaUnavailable("away", code="UNAVAILABLE")
    holder.now += 0.01
    holder.tend()
    assert holder.take()
    holder.lender.fails = None
    holder.now += 0.5
    holder.tend()

    first, again = holder.lender.calls[-2:]
    assert first == again
    assert 55 - FIRST // 2 - 1 == holder.tranche.held


def test_an_acquire_without_an_answer_is_repeated_under_its_id(holder: Holder) -> None:
    for _ in range(CALLS_MIN):
        holder.take()
    holder.lender.loses = True
    holder.tend()
    assert not holder.take()
    holder.now += 0.5
    holder.tend()

    assert 1 == len({call.lease_id for call in holder.lender.calls})
    assert FIRST == holder.tranche.held == holder.lender.used


def test_an_acquire_that_was_never_answered_is_given_back(holder: Holder) -> None:
    for _ in range(CALLS_MIN):
        holder.take()
    holder.lender.loses = True
    holder.tend()
    holder.run(holder.tranche.give_back(POLICY))

    assert ["Acquire", "Release"] == holder.methods
    assert 0 == holder.lender.used


def test_a_store_that_stays_away_leaves_nothing_to_spend_after_the_term(holder: Holder) -> None:
    holder.lease()
    holder.take()
    holder.lender.fails = QuotaUnavailable("away", code="UNAVAILABLE")
    for _ in range(200):
        holder.now += 0.1
        holder.tend()

    assert not holder.take()
    assert "" == holder.tranche.lease_id


def test_a_lease_that_is_not_renewed_is_released_at_once(holder: Holder) -> None:
    holder.lease()
    for _ in range(FIRST // 2):
        holder.take()
    holder.lender.renews = False
    holder.tend()

    assert ["Acquire", "Renew", "Release"] == holder.methods
    assert FIRST // 2 == holder.lender.used
    assert not holder.take()


@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (QuotaInvalid("feature_id: 'x' is a gauge", code="INVALID_ARGUMENT"), PAUSE_S),
        (QuotaServerError("no such method", code="UNIMPLEMENTED"), 30.0),
    ],
)
def test_a_refused_lease_is_not_asked_for_at_every_call(
    holder: Holder, error: Exception, pause_s: float
) -> None:
    holder.lender.fails = error
    for _ in range(100):
        assert not holder.take()
        holder.tend()
    acquires = holder.methods.count("Acquire")
    holder.now += pause_s
    for _ in range(CALLS_MIN):
        holder.take()
        holder.tend()

    assert (1, 2) == (acquires, holder.methods.count("Acquire"))


def test_near_the_limit_the_server_decides() -> None:
    holder = Holder(limit=4)
    for _ in range(100):
        if not holder.take():
            holder.tend()

    assert ["Acquire", "Release"] == holder.methods
    assert 0 == holder.lender.used


def test_a_lease_that_ends_with_its_period_is_returned_then_and_taken_anew(holder: Holder) -> None:
    holder.lender.last = True
    holder.lease()
    holder.take()
    holder.now += TERM_S / 2
    holder.tend()
    assert ["Acquire"] == holder.methods
    holder.now += TERM_S / 2
    holder.tend()

    assert ["Acquire", "Release", "Acquire"] == holder.methods
    assert 2 == len({call.lease_id for call in holder.lender.calls})
    assert 1 + holder.tranche.held == holder.lender.used


def test_a_quantity_beyond_what_is_held_is_fetched(holder: Holder) -> None:
    holder.lease()
    assert not holder.take(40)
    holder.now += 0.1
    holder.tend()

    assert holder.take(40)


def test_threads_spend_what_was_lent_and_no_more(holder: Holder) -> None:
    holder.tranche._wanted = 100  # so that the first tranche is the largest
    for _ in range(CALLS_MIN):
        holder.take(30)
    holder.tend()
    lent = holder.tranche.held
    spent = [0] * 4

    def spend(place: int) -> None:
        while holder.tranche.take(1) is not None:
            spent[place] += 1

    threads = [threading.Thread(target=spend, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert lent == sum(spent) == 100


def test_the_clock_goes_on_and_never_back() -> None:
    first = boottime()

    assert first <= boottime()


def test_what_is_missed_while_a_tranche_is_fetched_does_not_fetch_it_again(holder: Holder) -> None:
    holder.lease()
    holder.spend()
    holder.now += 0.01

    holder.tend(lambda: [holder.take() for _ in range(20)])
    for _ in range(5):
        holder.tend()

    assert ["Acquire", "Renew"] == holder.methods
    assert 50 == holder.tranche.held


def test_a_tranche_that_is_spent_at_once_grows_to_the_most(holder: Holder) -> None:
    holder = Holder(most=1_000, limit=10**9)
    holder.lease()
    for _ in range(10):
        holder.tend(holder.spend)
        holder.spend()
        holder.now += 0.001
    holder.tend()

    assert 1_000 == holder.tranche.held


def test_a_tranche_is_forgotten_when_nothing_asks_for_it() -> None:
    clock = Holder()
    tranches = Tranches(100, lambda: None, clock.clock)
    tranches.miss(("acme", "calls", ""), 1)
    clock.now += AHEAD_S
    assert [] == tranches.due()
    assert 1 == len(tranches.by_name)
    clock.now += AHEAD_S + 0.1

    assert [] == tranches.due()
    assert {} == tranches.by_name


def test_no_more_are_looked_at_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quotad.client.tranches.TRANCHES_MAX", 2)
    tranches = Tranches(100, lambda: None)
    for number in range(4):
        tranches.miss((f"c{number}", "calls", ""), 1)

    assert 2 == len(tranches.by_name)


@pytest.mark.parametrize("quantity", [1.0, True, "1", 0, -1])
def test_what_is_no_quantity_is_never_spent_here(quantity: Any, holder: Holder) -> None:
    holder.lease()
    with LeasedClient("127.0.0.1:1", timeout=0.05, retries=0) as client:
        client._by_name["acme", "calls", ""] = holder.tranche
        with pytest.raises(QuotaError):
            client.consume("acme", "calls", quantity)

        assert 0 == holder.tranche.spent
        client._by_name.clear()


def test_a_tranche_of_less_than_one_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="tranche: must be 1 or more, not 0"):
        LeasedClient(tranche=0)


async def test_a_loop_that_ends_just_as_something_is_due_ends_the_work_on_leases() -> None:
    client = AsyncLeasedClient("127.0.0.1:1", timeout=0.05, retries=0)
    client._missed(("acme", "calls", ""), 1)
    task = client._task
    assert task is not None
    await asyncio.sleep(0)

    client._wake.set()
    await asyncio.sleep(0)
    task.cancel()

    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


@pytest.mark.parametrize(
    ("leased", "plain"), [(LeasedClient, Client), (AsyncLeasedClient, AsyncClient)]
)
def test_a_leased_client_takes_every_setting_of_its_client(leased: Any, plain: Any) -> None:
    assert set(inspect.signature(plain).parameters) <= set(inspect.signature(leased).parameters)
    with pytest.raises(ValueError, match="token: must be as"):
        asyncio.run(_with_a_wrong_token(leased))


async def _with_a_wrong_token(leased: Any) -> None:
    client = leased("127.0.0.1:1", token="wrong", timeout=0.05, retries=0)
    try:
        await client.consume("acme", "calls")
    finally:
        await client.close()
