"""Requests of one customer in a batch take their turns, whatever another thread puts meanwhile."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quotad.customers.subscriptions import Provision, provision
from quotad.decision import ConsumeRequest, Decision
from quotad.engine.views import View
from quotad.records import CustomerRecord, StoredCustomer
from tests.deciding import Bench, bench

CATALOG = """
version: 1
features: {calls: {type: metered}}
plans: {pro: {entitlements: {calls: {limit: 5, per: month}}}}
"""


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as found:
        found.publish(CATALOG)
        yield found


def put_on_pro(made: Bench, resource_id: str = "", later_ms: int = 0) -> StoredCustomer:
    """Write the customer again, as from another moment, and read it."""
    wanted = Provision("pro", made.clock.now - 1000 + later_ms, resource_id=resource_id)
    snapshot, now = made.snapshots.current(), made.clock.now

    def write(record: CustomerRecord | None) -> CustomerRecord:
        return provision(record or CustomerRecord("acme"), wanted, snapshot, now)

    made.customers.update("acme", write)
    return made.customers.get("acme")


def on_look(made: Bench, monkeypatch: pytest.MonkeyPatch, look: Callable[[str], None]) -> None:
    """Be called with the name of each view that is looked up for a request, just before."""
    views = made.views

    class Looked(dict[str, View]):
        def get(self, name: str, *_: Any) -> Any:
            look(name)
            return super().get(name)

    # In the place of the dictionary that the planner looks in.
    monkeypatch.setattr(views._views, "young", Looked(views._views.young))


def before_view(
    made: Bench, monkeypatch: pytest.MonkeyPatch, number: int, what: Callable[[], None]
) -> None:
    """Let something happen before the n-th view is looked up."""
    seen = iter(range(1, 1000))

    def look(_: str) -> None:
        if next(seen) == number:
            what()

    on_look(made, monkeypatch, look)


def take(made: Bench, *requests: ConsumeRequest) -> list[bool]:
    answers = made.engine.decide(requests)
    assert all(isinstance(answer, Decision) for answer in answers), answers
    return [isinstance(answer, Decision) and answer.allowed for answer in answers]


def in_a_thread(what: Callable[[], object]) -> None:
    thread = threading.Thread(target=what)
    thread.start()
    thread.join()


def test_a_request_to_explain_waits_for_one_that_waits(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put_on_pro(made)
    put_on_pro(made, later_ms=1)
    take(made, ConsumeRequest("acme", "calls", 0))

    def put_an_old_view() -> None:
        in_a_thread(lambda: made.views.put("acme", old, made.snapshots.current(), made.clock.now))

    before_view(made, monkeypatch, 2, put_an_old_view)

    assert [True, True, False] == take(
        made,
        ConsumeRequest("acme", "calls", 1),
        ConsumeRequest("acme", "calls", 4),
        ConsumeRequest("acme", "calls", 2, explain=True),
    )


def test_a_view_that_is_just_being_put_is_noticed(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_pro(made)
    take(made, ConsumeRequest("acme", "calls", 0))
    new = put_on_pro(made, later_ms=1)
    keep, kept, go_on = made.views._views.put, threading.Event(), threading.Event()

    def put() -> None:
        made.views.put("acme", new, made.snapshots.current(), made.clock.now)

    other = threading.Thread(target=put)

    def slow_keep(*arguments: Any) -> None:
        keep(*arguments)
        if threading.current_thread() is other:
            kept.set()
            go_on.wait(10)

    def start() -> None:
        other.start()
        kept.wait(10)

    monkeypatch.setattr(made.views._views, "put", slow_keep)
    before_view(made, monkeypatch, 2, start)
    settler = made.engine._settler
    settle = settler.settle

    def settled(*arguments: Any) -> None:
        go_on.set()  # what is to be settled stands fast by now
        settle(*arguments)

    monkeypatch.setattr(settler, "settle", settled)
    try:
        assert [True, False] == take(
            made, ConsumeRequest("acme", "calls", 4), ConsumeRequest("acme", "calls", 3)
        )
    finally:
        go_on.set()
        other.join()


def test_resources_seen_at_different_times_are_decided_in_two_rounds(
    made: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"workspace-{i}" for i in range(8)]
    requests = [ConsumeRequest("acme", "calls", resource_id=name) for name in names]
    for name, request in zip(names, requests, strict=True):
        put_on_pro(made, name)
        take(made, request)
    another = made.customers.get("another")
    snapshot = made.snapshots.current()
    rounds: list[str] = []

    def look(name: str) -> None:
        if rounds[-1:] != [name]:  # one that is not there is looked for among older ones as well
            rounds.append(name)
        made.views.put("another", another, snapshot, made.clock.now)  # as others do all day

    on_look(made, monkeypatch, look)

    assert [True] * 8 == take(made, *requests)
    assert [2] * 7 + [1] == [rounds.count(f"acme\0{name}") for name in names]
