"""A customer is what it was before a write again, and nothing newer is undone unseen."""

import random
from collections.abc import Callable, Iterator

import msgspec
import pytest

from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Cancellation, Change, Provision, Trial
from quotad.errors import InvalidRequest, NotFound, QuotadError, StaleEpoch
from quotad.operations.customers import CustomerOperations
from quotad.operations.history import HistoryOperations
from quotad.operations.rollbacks import RollbackOperations
from quotad.operations.transfer import TransferOperations
from quotad.records import CustomerRecord, StoredCustomer
from quotad.store.changes import BEFORE_BYTES_MAX, BEFORE_MAX, ChangeLists
from quotad.store.erasures import Erasures
from tests.deciding import Bench, at, bench

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}, mails: {type: metered}, sso: {type: boolean}}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
  pro: {extends: free, entitlements: {calls: {limit: 50, per: month}, mails: {limit: 9}}}
  team: {extends: free, usage_on_change: reset, entitlements: {calls: {limit: 20, per: month}}}
addons:
  more: {entitlements: {calls: {add: 5}}}
"""
DAY_MS = 86_400_000


class Made:
    def __init__(self, made: Bench) -> None:
        self.bench = made
        parts = (made.customers, made.snapshots, made.views, made.clock)
        self.customers = CustomerOperations(*parts)
        self.transfer = TransferOperations(*parts)
        lists = ChangeLists(made.store, made.keys)
        self.history = HistoryOperations(lists)
        self.rollbacks = RollbackOperations(self.customers, lists, made.snapshots, made.clock)

    def record(self, customer_id: str = "acme") -> CustomerRecord:
        found = self.customers.get(customer_id).record
        assert found is not None
        return found

    def undoable(self, customer_id: str = "acme") -> list[int]:
        return [each.epoch for each in self.history.of_customer(customer_id) if each.undoable]

    def back(self, epoch: int, if_epoch: int | None = None) -> CustomerRecord:
        record = self.rollbacks.roll_back("acme", epoch, if_epoch, actor="ann").customer.record
        assert record is not None
        assert record == self.record()
        return record


def had(record: CustomerRecord) -> CustomerRecord:
    """What a customer has, without when and by whom it was written, and how usage was reset."""
    phases = tuple(
        msgspec.structs.replace(phase, resets_usage=False, resets_until_ms=0)
        for phase in record.subscriptions
    )
    return msgspec.structs.replace(
        record, subscriptions=phases, updated_ms=0, updated_by="", resets={}, reset_until={}
    )


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Made]:
    with bench(store_url, prefix) as one:
        one.publish(CATALOG)
        one.clock.now = at("2031-01-15 12:00")
        yield Made(one)


def test_the_latest_write_is_undone_with_its_author_and_reason_in_the_history(made: Made) -> None:
    made.customers.provision("acme", Provision("pro", addons={"more": 2}, profile=Profile("Acme")))
    before = made.record()
    done = made.customers.by("bob").cancel_subscription("acme", Cancellation())

    back = made.rollbacks.roll_back("acme", done.epoch, actor="ann", comment="a mistake")

    assert had(before) == had(made.record())
    assert ("subscription: pro, more x 2, from 2031-01-15T12:00:00Z",) == back.changes
    assert [done.epoch] == [each.epoch for each in back.undone]
    latest = made.history.of_customer("acme")[0]
    assert ("ann", "RollbackCustomer", "a mistake", back.changes, back.customer.epoch) == (
        latest.actor,
        latest.call,
        latest.comment,
        latest.changes,
        latest.epoch,
    )
    assert had(made.back(latest.epoch)) == had(
        CustomerRecord("acme", created_ms=before.created_ms, name="Acme")
    ), "and that is undone again"


def test_every_kind_of_write_is_undone(made: Made) -> None:
    start = made.bench.clock.now
    limit = {"limit": 7, "per": "day"}
    writes: list[Callable[[CustomerOperations], object]] = [
        lambda c: c.provision("acme", Provision("team", start + DAY_MS)),
        lambda c: c.provision("acme", Provision("pro", trial=Trial(start + DAY_MS))),
        lambda c: c.provision("acme", Provision("pro", resource_id="w", unit_quantity=3)),
        lambda c: c.change_subscription("acme", Change(plan_id="team")),
        lambda c: c.change_subscription("acme", Change(addons={"more": 1}, at_period_end=True)),
        lambda c: c.set_override("acme", NewEntitlement("calls", limit)),
        lambda c: c.remove_override("acme", "calls", ""),
        lambda c: c.grant_promotion("acme", NewEntitlement("sso", True, end_ms=start + DAY_MS)),
        lambda c: c.revoke_promotion("acme", "sso", ""),
        lambda c: c.update("acme", Profile("New", external_ids={"stripe": "cus_1"})),
        lambda c: c.cancel_subscription("acme", Cancellation(resource_id="w")),
        lambda c: c.archive("acme"),
        lambda c: made.transfer.import_rows([b'{"customer_id": "acme", "plan": "free"}']),
    ]
    made.customers.provision("acme", Provision("free"))
    for number, write in enumerate(writes):
        before = made.record()
        write(made.customers)
        epoch = made.customers.get("acme").epoch
        assert had(before) == had(made.back(epoch)), number
        made.back(made.customers.get("acme").epoch)  # as it was written
        made.bench.clock.now += 1000


def test_what_came_after_a_write_is_undone_only_where_it_is_named(made: Made) -> None:
    made.customers.provision("acme", Provision("free"))
    before = made.record()
    first = made.customers.set_override("acme", NewEntitlement("sso", True)).epoch
    second = made.customers.by("bob").update("acme", Profile("New")).epoch

    with pytest.raises(StaleEpoch, match=rf"written again since; give {second} to undo"):
        made.back(first)
    with pytest.raises(StaleEpoch, match=rf"is at epoch {second}, not {first}"):
        made.back(first, first)
    looked = made.rollbacks.roll_back("acme", first, dry_run=True)
    assert second == made.customers.get("acme").epoch
    assert ("override of sso removed", "name removed (was 'New')") == looked.changes
    assert [second, first] == [each.epoch for each in looked.undone]
    assert second == looked.customer.epoch

    assert had(before) == had(made.back(first, second))


def test_a_write_that_comes_between_is_never_undone(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.customers.provision("acme", Provision("free"))
    epoch = made.customers.set_override("acme", NewEntitlement("sso", True)).epoch
    roll_back = CustomerOperations.roll_back

    def late(self: CustomerOperations, *given: object) -> StoredCustomer:
        made.customers.by("bob").update("acme", Profile("New"))
        return roll_back(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(CustomerOperations, "roll_back", late)

    with pytest.raises(StaleEpoch):
        made.back(epoch)
    assert ("New", 1) == (made.record().name, len(made.record().overrides))


def test_what_the_catalog_does_not_have_any_more_is_named(made: Made) -> None:
    customers = made.customers
    customers.provision("acme", Provision("pro", addons={"more": 2}))
    customers.set_override("acme", NewEntitlement("mails", {"limit": 3}))
    customers.grant_promotion("acme", NewEntitlement("sso", True))
    archived = customers.archive("acme").epoch
    made.bench.publish(
        """
        version: 1
        default_plan: free
        features: {calls: {type: metered}, sso: {type: config}}
        plans: {free: {entitlements: {calls: {limit: 5, per: month}}}}
        """
    )

    gone = "no plan 'pro', add-on 'more', feature 'mails', feature 'sso' of that kind any more"
    for dry_run in (True, False):
        with pytest.raises(InvalidRequest, match=gone):
            made.rollbacks.roll_back("acme", archived, dry_run=dry_run)
    assert made.record().archived


def test_what_has_ended_since_stays_ended(made: Made) -> None:
    clock = made.bench.clock
    made.customers.provision("acme", Provision("pro", trial=Trial(clock.now + DAY_MS, ends=True)))
    promotion = NewEntitlement("sso", True, end_ms=clock.now + DAY_MS)
    made.customers.grant_promotion("acme", promotion)
    epoch = made.customers.update("acme", Profile("New")).epoch
    clock.now += 2 * DAY_MS

    back = made.back(epoch)

    assert ((), (), "") == (back.subscriptions, back.promotions, back.name)


def test_usage_is_not_refilled(made: Made) -> None:
    made.customers.provision("acme", Provision("free"))
    for _ in range(3):
        assert made.bench.consume("acme", "calls").allowed
    to_team = made.customers.change_subscription("acme", Change(plan_id="team")).epoch
    assert 1 == made.bench.consume("acme", "calls").used, "the plan resets usage"
    assert 2 == made.bench.consume("acme", "calls").used

    back = made.back(to_team)
    assert "free" == back.subscriptions[0].plan_id
    assert 3 == made.bench.consume("acme", "calls").used
    made.back(made.customers.get("acme").epoch)
    assert 4 == made.bench.consume("acme", "calls").used


def test_what_is_kept_is_bounded_expires_and_is_erased(made: Made) -> None:
    customers, store, key = made.customers, made.bench.store, made.bench.keys.before("acme")
    created = customers.provision("acme", Provision("free")).epoch
    assert [] == made.undoable(), "there was nothing before"
    with pytest.raises(InvalidRequest, match="was created by that write; archive or erase it"):
        made.back(created)
    epochs = [customers.update("acme", Profile(f"{i}")).epoch for i in range(BEFORE_MAX + 3)]
    assert epochs[:2:-1] == made.undoable()
    assert BEFORE_MAX == store.execute("HLEN", key)
    assert 0 < store.execute("PTTL", key) <= 90 * DAY_MS
    with pytest.raises(NotFound, match=f"before a write with the epoch {epochs[0]} is not kept"):
        made.back(epochs[0], epochs[-1])

    large = {f"k{i}": "x" * 500 for i in range(40)}
    for i in range(6):
        customers.update("acme", Profile(metadata=large | {"i": str(i)}))
    sizes = [len(each) for each in store.execute("HVALS", key)]
    assert BEFORE_BYTES_MAX // 2 < sum(sizes) <= BEFORE_BYTES_MAX

    store.execute("SET", key, b"of another type")
    assert [] == made.undoable()
    last = customers.update("acme", Profile("back")).epoch
    assert [last] == made.undoable()
    bench = made.bench
    Erasures(store, bench.keys, bench.customers, bench.nearby).erase("acme", [])
    assert 0 == store.execute("EXISTS", key)
    with pytest.raises(NotFound):
        made.back(last)


def test_writes_of_a_server_of_an_earlier_release_stand_without_a_way_back(made: Made) -> None:
    made.customers.provision("acme", Provision("free"))
    first = made.customers.update("acme", Profile("One")).epoch
    second = made.customers.update("acme", Profile("Two")).epoch
    third = made.customers.update("acme", Profile("Three")).epoch
    made.bench.store.execute("HDEL", made.bench.keys.before("acme"), str(second))

    assert [third, first] == made.undoable()
    with pytest.raises(NotFound, match="is not kept; that of the latest writes is"):
        made.back(second, third)
    assert "" == made.back(first, third).name


def test_random_writes_are_undone_back_to_the_first_that_is_kept(made: Made) -> None:
    draw = random.Random(7)
    made.customers.provision("acme", Provision("free"))
    states: list[tuple[int, CustomerRecord]] = []
    for number in range(40):
        before, write = made.record(), draw.randrange(6)
        try:
            if write == 0:
                plan = draw.choice(("free", "pro"))
                made.customers.provision("acme", Provision(plan, unit_quantity=number + 1))
            elif write == 1:
                value = {"limit": draw.randrange(99), "per": "day"}
                made.customers.set_override("acme", NewEntitlement("calls", value))
            elif write == 2:
                made.customers.remove_override("acme", "calls", "")
            elif write == 3:
                made.customers.grant_promotion("acme", NewEntitlement("sso", True))
            elif write == 4:
                made.customers.update("acme", Profile(f"Name {number}"))
            elif states and made.undoable():
                epoch, wanted = draw.choice(states[-BEFORE_MAX:])
                if epoch in made.undoable():
                    back = made.back(epoch, made.customers.get("acme").epoch)
                    assert had(wanted) == had(back)
        except QuotadError:
            continue
        made.bench.clock.now += 1000
        now = made.customers.get("acme").epoch
        if not states or now != states[-1][0]:
            states.append((now, before))
