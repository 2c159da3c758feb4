"""Lists of customers, as an edge asks for them."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision, Trial
from quotad.engine.seen import Seen
from quotad.entitlements.phases import PhaseStatus
from quotad.errors import InvalidRequest
from quotad.operations.customers import CustomerOperations
from quotad.operations.finding import FindingOperations
from quotad.store import CustomerIndex, Wanted
from quotad.store.seen import SeenStore
from tests.deciding import Bench, FixedClock, at, bench

PLANS = """
version: 1
default_plan: free
features: {calls: {type: metered}, sso: {type: boolean}}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
  pro: {entitlements: {calls: {limit: 50}}}
"""
DAY_MS = 86_400_000


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as one:
        one.publish(PLANS)
        yield one


@pytest.fixture
def customers(made: Bench) -> CustomerOperations:
    return CustomerOperations(made.customers, made.snapshots, made.views, made.clock)


@pytest.fixture
def finding(made: Bench, customers: CustomerOperations) -> FindingOperations:
    seen = SeenStore(made.store, made.keys, made.customers)
    index = CustomerIndex(made.store, made.keys, made.customers)
    for name, plan in (("Acme", "free"), ("Acorn", "pro"), ("Big Acme", "pro")):
        wanted = Provision(plan, profile=Profile(name))
        customers.provision(name.lower().replace(" ", "-"), wanted)
    customers.archive("acorn")
    return FindingOperations(made.customers, index, seen, Seen(seen), made.clock)


def ids(finding: FindingOperations, wanted: Wanted) -> set[str]:
    page = finding.find(wanted)
    assert not page.next_token
    return {each.record.customer_id for each in page.customers if each.record}


def test_customers_are_found_by_all_that_is_asked_for(finding: FindingOperations) -> None:
    assert {"acme", "acorn", "big-acme"} == ids(finding, Wanted())
    assert {"acme", "acorn"} == ids(finding, Wanted(id_prefix="ac"))
    assert {"acme", "big-acme"} == ids(finding, Wanted(name=" ACME"))
    assert {"acorn", "big-acme"} == ids(finding, Wanted(plan_id="pro"))
    assert {"acorn"} == ids(finding, Wanted(archived=True))
    assert {"big-acme"} == ids(finding, Wanted(name="acme", plan_id="pro", archived=False))


def test_a_list_comes_in_pages(finding: FindingOperations) -> None:
    for wanted in (Wanted(), Wanted(id_prefix="a")):
        first = finding.find(wanted, size=1)
        rest = finding.find(wanted, first.next_token)

        assert 1 == len(first.customers)
        assert first.customers[0] not in rest.customers


def test_customers_are_found_by_email_and_by_ids_in_other_systems(
    finding: FindingOperations, customers: CustomerOperations
) -> None:
    known = Profile(email="Ada@Acme.example", external_ids={"stripe": "cus_1", "crm": "7"})
    customers.update("acme", known)
    customers.provision("big-acme", Provision("pro", external_ids={"stripe": "sub_1"}))

    assert {"acme"} == ids(finding, Wanted(email="ada@acme.example"))
    assert set() == ids(finding, Wanted(email="ada@acme.exampl"))
    assert (
        {"acme"}
        == ids(finding, Wanted(external_id="cus_1"))
        == ids(finding, Wanted(external_id="7", email="ADA@acme.example", name="acme"))
    )
    assert {"big-acme"} == ids(finding, Wanted(external_id="sub_1"))

    customers.update("acme", Profile(email="", external_ids={"stripe": "cus_2"}))

    assert set() == ids(finding, Wanted(email="ada@acme.example"))
    assert set() == ids(finding, Wanted(external_id="cus_1"))
    assert {"acme"} == ids(finding, Wanted(external_id="cus_2"))
    assert {"acme"} == ids(finding, Wanted(external_id="7"))


def test_customers_are_found_by_promotions_that_are_not_over(
    finding: FindingOperations, customers: CustomerOperations
) -> None:
    now_ms = finding.clock.now_ms()
    for shard in finding.index.due(now_ms):
        finding.index.refresh(shard, now_ms, lambda: False)
    promote = customers.grant_promotion
    promote("acme", NewEntitlement("calls", {"limit": 9, "per": "day"}, end_ms=now_ms + DAY_MS))
    promote("acme", NewEntitlement("sso", True))
    promote("acorn", NewEntitlement("sso", True, start_ms=now_ms + DAY_MS))

    assert {"acme", "acorn"} == ids(finding, Wanted(promoted=True))
    assert {"acme"} == ids(finding, Wanted(promoted=True, promotion_of="calls"))
    assert {"acme", "acorn"} == ids(finding, Wanted(promotion_of="sso"))
    assert {"acme"} == ids(finding, Wanted(promotion_of="sso", id_prefix="acm"))
    assert {"acorn"} == ids(finding, Wanted(promoted=True, plan_id="pro"))
    later = msgspec.structs.replace(finding, clock=FixedClock(now_ms + 2 * DAY_MS))
    assert set() == ids(later, Wanted(promotion_of="calls"))
    customers.revoke_promotion("acme", "sso", "")
    assert {"acorn"} == ids(finding, Wanted(promotion_of="sso"))


REFUSED: dict[str, Callable[[FindingOperations], object]] = {
    "page_size": lambda on: on.find(Wanted(), size=1001),
    "id_prefix": lambda on: on.find(Wanted(id_prefix="\n")),
    "plan_id": lambda on: on.find(Wanted(plan_id="\n")),
    "email": lambda on: on.find(Wanted(email="ada")),
    "external_id": lambda on: on.find(Wanted(external_id="\n")),
    "name": lambda on: on.find(Wanted(name="\n")),
    "name: has nothing but spaces": lambda on: on.find(Wanted(name="   ")),
    "page_token": lambda on: on.list_seen(token="x"),
    "page_size: -1": lambda on: on.list_seen(size=-1),
    "id_prefix: ": lambda on: on.list_seen("\n"),
}


def test_customers_are_found_by_a_trial_that_is_under_way(
    made: Bench, finding: FindingOperations, customers: CustomerOperations
) -> None:
    clock, end = made.clock, made.clock.now + DAY_MS
    customers.provision("acme", Provision("free", trial=Trial(end)))
    customers.provision("big-acme", Provision("pro", clock.now + 2 * DAY_MS))
    customers.provision("big-acme", Provision("pro", resource_id="team", trial=Trial(end)))

    assert {"acme", "big-acme"} == ids(finding, Wanted(in_trial=True))
    assert {"big-acme"} == ids(finding, Wanted(in_trial=True, plan_id="pro"))
    clock.now = end
    assert set() == ids(finding, Wanted(in_trial=True))


def test_trials_are_found_in_an_index_of_an_earlier_release(
    made: Bench, finding: FindingOperations, customers: CustomerOperations
) -> None:
    customers.provision("acme", Provision("free", trial=Trial(made.clock.now + DAY_MS)))
    shards, now_ms = range(made.keys.shards), made.clock.now

    def refresh() -> None:
        for shard in shards:
            finding.index.refresh(shard, now_ms, lambda: False)

    refresh()
    assert [] == finding.index.due(now_ms)
    for key in made.keys.shard_indexes:
        for member in made.store.execute("ZRANGE", key, 0, -1):
            if member == b"\0\0" or member.startswith(b"t\0"):
                made.store.execute("ZREM", key, member)

    assert {"acme"} == ids(finding, Wanted(in_trial=True))
    assert list(shards) == finding.index.due(now_ms)
    refresh()
    assert {"acme"} == ids(finding, Wanted(in_trial=True))
    assert [] == finding.index.due(now_ms)


@pytest.mark.parametrize(("told", "ask"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_looked_for_is_refused_by_name(
    finding: FindingOperations, told: str, ask: Callable[[FindingOperations], object]
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{told}"):
        ask(finding)


def test_customers_that_were_only_seen_are_listed_at_once(finding: FindingOperations) -> None:
    for name in ("new-1", "new-2", "other", "acme"):
        finding.noted.note(name, 0)

    page = finding.list_seen("new", size=50)

    assert {"new-1", "new-2"} == {each.customer_id for each in page.customers}
    assert {at("2031-01-15 12:00")} == {each.seen_ms for each in page.customers}


def test_a_customer_is_shown_with_what_has_ended_left_out(
    made: Bench, customers: CustomerOperations
) -> None:
    now_ms = made.clock.now
    customers.provision("acme", Provision("pro", start_ms=now_ms + DAY_MS))
    customers.set_override("acme", NewEntitlement("calls", {"limit": 9, "per": "day"}))
    stored = customers.grant_promotion(
        "acme", NewEntitlement("calls", {"limit": 99}, end_ms=now_ms + DAY_MS)
    )
    before = customers.show(stored)
    made.clock.now += DAY_MS
    after = customers.show(stored)

    # The default plan, then the one to come.
    assert [PhaseStatus.ACTIVE, PhaseStatus.SCHEDULED] == before.statuses
    assert [{"limits": [{"limit": 9, "per": "day"}]}] == [each.value for each in before.overrides]
    assert [(now_ms + DAY_MS, {"limits": [{"limit": 99, "per": "month"}]})] == [
        (p.end_ms, p.value) for p in before.promotions
    ]
    assert [PhaseStatus.ENDED, PhaseStatus.ACTIVE] == after.statuses
    assert [] == after.promotions
