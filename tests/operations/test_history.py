"""Whose doing the writes of customers are, and what their history says of them."""

import threading
from collections.abc import Iterator

import pytest

from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Cancellation, Change, Provision
from quotad.errors import StaleEpoch
from quotad.operations.customers import CustomerOperations
from quotad.operations.history import HistoryOperations
from quotad.operations.transfer import TransferOperations
from quotad.store.changes import CHANGES_MAX, ChangeLists
from quotad.store.erasures import Erasures
from tests.deciding import Bench, at, bench

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}, sso: {type: boolean}}
plans:
  free: {entitlements: {calls: {limit: 5}}}
  pro: {extends: free, entitlements: {calls: {limit: 50}}}
"""


class Made:
    def __init__(self, made: Bench) -> None:
        self.bench = made
        parts = (made.customers, made.snapshots, made.views, made.clock)
        self.customers = CustomerOperations(*parts)
        self.transfer = TransferOperations(*parts)
        self.history = HistoryOperations(ChangeLists(made.store, made.keys))

    def of(self, customer_id: str) -> list[tuple[str, str, tuple[str, ...]]]:
        found = self.history.of_customer(customer_id)
        return [(each.actor, each.call, each.changes) for each in reversed(found)]


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Made]:
    with bench(store_url, prefix) as one:
        one.publish(CATALOG)
        yield Made(one)


def test_every_write_is_kept_with_its_actor_and_what_it_changed(made: Made) -> None:
    ann, bob = made.customers.by("ann"), made.customers.by("bob")
    made.bench.clock.now = start = at("2031-01-15 12:00")
    first = ann.provision(
        "acme", Provision("pro", unit_quantity=50, profile=Profile("Acme", metadata={"tier": "a"}))
    )
    made.bench.clock.now = start + 60_000
    ann.set_override("acme", NewEntitlement("calls", {"limit": 7}))
    bob.grant_promotion("acme", NewEntitlement("sso", True, end_ms=at("2031-02-01 00:00")))
    bob.change_subscription("acme", Change(plan_id="free"))
    bob.update("acme", Profile("", metadata={"tier": ""}, external_ids={"stripe": "cus_1"}))
    ann.remove_override("acme", "calls", "")
    ann.revoke_promotion("acme", "sso", "")
    ann.cancel_subscription("acme", Cancellation())
    made.transfer.import_rows([b'{"customer_id": "acme", "plan": "free"}'], actor="nightly")
    last = ann.archive("acme")
    with pytest.raises(StaleEpoch):
        bob.archive("acme", if_epoch=first.epoch)

    assert last.record is not None
    assert ("ann", "ann") == (last.record.updated_by, made.customers.get("acme").record.updated_by)  # type: ignore[union-attr]
    epochs = [each.epoch for each in made.history.of_customer("acme")]
    assert (last.epoch, first.epoch) == (epochs[0], epochs[-1])
    at_noon = "2031-01-15T12:00:00Z"
    assert [
        (
            "ann",
            "ProvisionCustomer",
            (
                "created",
                f"subscription: pro, 50 units, from {at_noon}",
                "name: 'Acme'",
                "metadata tier: 'a'",
            ),
        ),
        ("ann", "SetOverride", ('override of calls: {"limits":[{"limit":7}]}',)),
        ("bob", "GrantPromotion", ("promotion of sso: true until 2031-02-01T00:00:00Z",)),
        (
            "bob",
            "ChangeSubscription",
            (
                f"subscription: free, 50 units, from {at_noon}",
                f"no more: pro, 50 units, from {at_noon}",
            ),
        ),
        (
            "bob",
            "UpdateCustomer",
            (
                "name removed (was 'Acme')",
                "metadata tier removed (was 'a')",
                "external id stripe: 'cus_1'",
            ),
        ),
        ("ann", "RemoveOverride", ("override of calls removed",)),
        ("ann", "RevokePromotion", ("promotion of sso removed",)),
        ("ann", "CancelSubscription", (f"no more: free, 50 units, from {at_noon}",)),
        ("nightly", "ImportCustomers", ("subscription: free, from 2031-01-15T12:01:00Z",)),
        ("ann", "ArchiveCustomer", ("archived",)),
    ] == made.of("acme")


def test_a_write_that_changes_nothing_by_import_leaves_no_entry(made: Made) -> None:
    row = b'{"customer_id": "acme", "plan": "free"}'
    for actor in ("first", "second"):
        made.transfer.import_rows([row], actor=actor)
    made.transfer.import_rows([row], dry_run=True, actor="third")

    assert ["first"] == [actor for actor, *_ in made.of("acme")]
    assert "first" == made.customers.get("acme").record.updated_by  # type: ignore[union-attr]


def test_no_write_of_many_at_once_is_lost_from_the_history(made: Made) -> None:
    def write(actor: str) -> None:
        for i in range(5):
            made.customers.by(actor).update("acme", Profile(metadata={actor: str(i)}))

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = made.history.of_customer("acme")
    assert {"a": 5, "b": 5} == {
        name: sum(each.actor == name for each in found) for name in ("a", "b")
    }
    epochs = [each.epoch for each in found]
    assert sorted(set(epochs), reverse=True) == epochs


def test_the_history_is_bounded_survives_damage_and_is_erased(made: Made) -> None:
    for i in range(CHANGES_MAX + 3):
        made.customers.by("ann").update(
            "acme", Profile(metadata={f"k{j}": f"{i}" * 150 for j in range(40)})
        )
    found = made.history.of_customer("acme", 1000)
    assert CHANGES_MAX == len(found)
    assert (20, 200) == (len(found[0].changes), max(map(len, found[0].changes)))
    key = made.bench.keys.changes("acme")
    assert 0 < made.bench.store.execute("PTTL", key)

    made.bench.store.execute("LPUSH", key, b"7:nonsense")
    assert CHANGES_MAX == len(made.history.of_customer("acme", 1000))
    made.bench.store.execute("SET", key, b"of another type")
    assert [] == made.history.of_customer("acme")
    made.customers.by("bob").archive("acme")
    assert ["bob"] == [each.actor for each in made.history.of_customer("acme")]

    bench = made.bench
    Erasures(bench.store, bench.keys, bench.customers, bench.nearby).erase("acme", [])
    assert [] == made.history.of_customer("acme")
    assert "acme" not in {each for each, _ in made.history.of_all().writes}


def test_the_writes_of_all_customers_are_listed_the_newest_first_in_pages(made: Made) -> None:
    written = [(f"c-{number % 3}", f"by-{number}") for number in range(7)]
    for customer_id, actor in written:
        made.customers.by(actor).provision(customer_id, Provision("pro"))
    made.customers.by("ann", "a deal").set_override("c-1", NewEntitlement("sso", True))

    page = made.history.of_all(size=3)
    found = page.writes
    deal = next(change for _, change in found if change.actor == "ann")
    while page.next_before is not None:
        page = made.history.of_all(page.next_before, 3)
        found = [*found, *page.writes]
    listed = [(each, change.actor) for each, change in found]
    assert {("c-1", "ann"), *written} == set(listed)
    assert 8 == len(listed)
    epochs = [change.epoch for _, change in found]
    assert sorted(epochs, reverse=True) == epochs
    assert ("a deal", ("override of sso: true",)) == (deal.comment, deal.changes)


def test_the_list_of_all_writes_is_bounded(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quotad.store.customers.written_most", lambda shards: 2)
    for number in range(12):
        made.customers.provision("acme", Provision(("pro", "free")[number % 2]))

    assert 2 == len(made.history.of_all().writes)
    assert 12 == len(made.history.of_customer("acme"))
