"""CheckAndConsumeAll: several features in one atomic act, all of it counted or nothing (G2)."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from quotad.customers.subscriptions import Provision, provision
from quotad.decision import ConsumeAllDecision, ConsumeAllRequest, ConsumeRequest, Mode, Reason
from quotad.errors import Damaged, IdempotencyMismatch, InvalidRequest
from quotad.records import CustomerRecord
from quotad.v1 import quota_pb2 as pb
from tests.deciding import Bench, bench
from tests.integration.conftest import Pair
from tests.raw import raw
from tests.running import CALL_S

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered}
  seats: {type: metered, kind: gauge}
  hours: {type: metered}
  budget: {type: metered, decimals: 2}
  image: {type: metered, credit: {pool: budget, cost: 2}}
  video: {type: metered, credit: {pool: budget, cost: 3}}
  soft: {type: metered}
  export: {type: boolean}
  sso: {type: boolean}
  region: {type: config, values: [eu, us]}
plans:
  free:
    entitlements:
      calls: {limit: 500, per: 100 years}
      tokens: {limits: [{limit: 1000, per: 100 years}, {limit: 2000}]}
      seats: {limit: 3}
      hours: {limit: 5, per: 5 hours, anchor: first_use}
      budget: {limit: 10, per: 100 years}
      image: {limit: 100, per: day}
      video: true
      soft: {limit: 3, per: day, soft: true}
      export: true
      region: [eu]
"""

Asked = tuple[str, int] | tuple[str, int, str]


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as one:
        one.publish(CATALOG)
        yield one


def all_of(*asked: Asked, customer: str = "acme", **fields: Any) -> ConsumeAllRequest:
    """A request about features, quantities and perhaps resources."""
    mode = fields.get("mode", Mode.NORMAL)
    explain = fields.get("explain", False)
    items = []
    for feature_id, quantity, *resource in asked:
        one = ConsumeRequest(
            customer, feature_id, quantity, mode, explain=explain, every_limit=explain
        )
        items.append(msgspec.structs.replace(one, resource_id=resource[0] if resource else ""))
    return ConsumeAllRequest(customer, "", 0, items=tuple(items), **fields)


def ask(made: Bench, *asked: Asked, **fields: Any) -> ConsumeAllDecision:
    (answer,) = made.engine.decide([all_of(*asked, **fields)])
    assert isinstance(answer, ConsumeAllDecision), answer
    return answer


def counters(made: Bench) -> dict[str, int]:
    """Usage of the customer, by feature."""
    start = made.keys.customer("acme").usage + ":"
    found = {}
    for name in raw(made.store).keys(f"{start}*"):
        used = raw(made.store).get(name).decode().partition("@")[0]
        found[name.decode().removeprefix(start).partition(":")[0]] = int(used)
    return found


def test_all_of_it_is_counted(made: Bench) -> None:
    answer = ask(made, ("calls", 1), ("tokens", 900), ("seats", 2), ("export", 1))

    assert (True, None, None) == (answer.allowed, answer.stopped_by, answer.retry_after_ms)
    assert [(1, 1, 499), (900, 900, 100), (2, 2, 1), (0, 0, 0)] == [
        (item.granted, item.used, item.remaining) for item in answer.items
    ]
    assert [1, 900, 2] == [made.check("acme", name).used for name in ("calls", "tokens", "seats")]


# What stops a call on 999 tokens and 2 seats used, and the reason and the item that decide
STOPPED: list[tuple[list[Asked], Reason, int]] = [
    ([("calls", 1), ("tokens", 2)], Reason.LIMIT_EXCEEDED, 1),
    ([("tokens", 2), ("seats", 2)], Reason.LIMIT_EXCEEDED, 0),
    ([("calls", 501), ("hours", 1)], Reason.LIMIT_EXCEEDED, 0),
    ([("hours", 1), ("hours", 6, "")], Reason.LIMIT_EXCEEDED, 1),
    ([("calls", 1), ("image", 6)], Reason.INSUFFICIENT_CREDITS, 1),
    ([("tokens", 2), ("image", 6)], Reason.LIMIT_EXCEEDED, 0),
    ([("tokens", 2), ("sso", 1)], Reason.NOT_ENTITLED, 1),
    ([("calls", 1), ("nothing", 1)], Reason.FEATURE_NOT_FOUND, 1),
    ([("seats", -1), ("tokens", 2)], Reason.LIMIT_EXCEEDED, 1),
]


@pytest.mark.parametrize(("asked", "reason", "place"), STOPPED)
@pytest.mark.parametrize("key", ["", "k"])
def test_one_item_without_room_stops_all_of_it(
    made: Bench, asked: list[Asked], reason: Reason, place: int, key: str
) -> None:
    ask(made, ("tokens", 999), ("seats", 2))
    before = counters(made)

    answer = ask(made, *asked, idempotency_key=key)

    assert (False, reason, place) == (answer.allowed, answer.reason, answer.stopped_by)
    assert [0] * len(asked) == [item.granted for item in answer.items]
    assert before == counters(made)
    # Nothing was taken, so nothing is kept under the key.
    assert answer == ask(made, *asked, idempotency_key=key)


def test_waiting_helps_only_if_it_helps_every_item(made: Bench) -> None:
    ask(made, ("soft", 1), ("hours", 5))
    five_hours = 5 * 3_600_000

    waits = [
        ask(made, ("hours", 1), ("calls", 1)).retry_after_ms,
        ask(made, ("hours", 1), ("seats", 4)).retry_after_ms,
        ask(made, ("hours", 6), ("calls", 1)).retry_after_ms,
        ask(made, ("hours", 1), ("sso", 1)).retry_after_ms,
    ]

    assert [five_hours, None, None, None] == waits


def test_two_features_draw_on_one_pool_together(made: Bench) -> None:
    fits = ask(made, ("image", 2), ("video", 1))
    apart = [ask(made, (name, 1), mode=Mode.CHECK_ONLY).allowed for name in ("image", "video")]
    together = ask(made, ("image", 1), ("video", 1))
    whole = ask(made, ("budget", 100), ("image", 1))

    assert [(True, 400, 600), (True, 700, 300)] == [
        (item.allowed, item.used, item.remaining) for item in fits.items
    ]
    assert [True, True] == apart
    assert [True, False] == [item.allowed for item in together.items]
    assert (Reason.INSUFFICIENT_CREDITS, 1) == (together.reason, together.stopped_by)
    # The pool itself is a feature, too: 1.00 and 2.00 of the 3.00 that are left.
    assert whole.allowed
    assert {"image": 3, "budget": 1000} == counters(made)


def test_a_gauge_is_given_back_with_what_is_consumed(made: Bench) -> None:
    ask(made, ("seats", 3))

    answer = ask(made, ("seats", -2), ("calls", 5))
    more = ask(made, ("seats", -9), ("calls", 0))

    assert (True, -2, 1) == (answer.allowed, answer.items[0].granted, answer.items[0].used)
    assert (True, -1, 0) == (more.allowed, more.items[0].granted, more.items[0].used)
    assert {"calls": 5} == counters(made)


def test_resources_of_one_customer_are_charged_together(made: Bench) -> None:
    for resource in ("a", "b"):
        provision_resource(made, resource)

    answer = ask(made, ("calls", 1), ("calls", 2, "a"), ("calls", 499, "b"))
    denied = ask(made, ("calls", 1), ("calls", 1, "a"), ("calls", 2, "b"))

    assert [1, 2, 499] == [item.used for item in answer.items]
    assert [True, True, False] == [item.allowed for item in denied.items]
    assert [1, 2, 499] == [
        made.decide(ConsumeRequest("acme", "calls", 0, Mode.CHECK_ONLY, resource_id=name))[0].used
        for name in ("", "a", "b")
    ]


def provision_resource(made: Bench, resource_id: str) -> None:
    def change(before: CustomerRecord | None) -> CustomerRecord:
        wanted = Provision("free", resource_id=resource_id)
        record = before or CustomerRecord("acme")
        return provision(record, wanted, made.snapshots.current(), made.clock.now)

    made.customers.update("acme", change)


ITEMS: tuple[Asked, ...] = (
    ("tokens", 40),
    ("hours", 2),
    ("export", 1),
    ("region", 1),
    ("image", 1),
)


def test_what_was_taken_is_returned_again_under_its_key(made: Bench) -> None:
    first = ask(made, *ITEMS, idempotency_key="k")
    made.clock.now += 6 * 3_600_000  # the window of five hours is over
    taken = counters(made)

    again = ask(made, *ITEMS, idempotency_key="k")

    assert first.allowed
    assert "eu" == again.items[3].value
    assert msgspec.structs.replace(first, replayed=True) == again
    assert taken == counters(made)


@pytest.mark.parametrize(
    "other",
    [
        (("tokens", 41), *ITEMS[1:]),
        ITEMS[1:],
        (*ITEMS, ("calls", 1)),
        (("tokens", 40, "a"), *ITEMS[1:]),
    ],
)
def test_a_key_is_of_all_the_items(made: Bench, other: tuple[Asked, ...]) -> None:
    ask(made, *ITEMS, idempotency_key="k")
    single = ConsumeRequest("acme", "tokens", 40, idempotency_key="k")

    answers = made.engine.decide([all_of(*other, idempotency_key="k"), single])

    assert all(isinstance(answer, IdempotencyMismatch) for answer in answers)
    made.consume("acme", "calls", 1, "single")
    (mismatch,) = made.engine.decide([all_of(("calls", 1), idempotency_key="single")])
    assert isinstance(mismatch, IdempotencyMismatch)


def test_a_check_counts_nothing_and_shows_what_the_call_would(made: Bench) -> None:
    check = ask(made, ("calls", 1), ("video", 4), mode=Mode.CHECK_ONLY)
    fits = ask(made, ("calls", 1), ("video", 3), mode=Mode.CHECK_ONLY)

    assert (False, Reason.INSUFFICIENT_CREDITS, 1) == (
        check.allowed,
        check.reason,
        check.stopped_by,
    )
    assert fits.allowed
    assert {} == counters(made)


def test_an_item_that_can_never_work_is_refused_by_its_place(made: Bench) -> None:
    (refused,) = made.engine.decide([all_of(("calls", 1), ("tokens", -5))])

    assert isinstance(refused, InvalidRequest)
    assert str(refused).startswith("items[1].quantity: -5 is negative")
    assert {} == counters(made)


def test_nothing_is_decided_on_a_stale_catalog_or_customer(made: Bench) -> None:
    ask(made, ("calls", 1), ("tokens", 1))
    made.publish_elsewhere(CATALOG.replace("calls: {limit: 500", "calls: {limit: 3"))
    assert [2, 999] == [ask(made, ("calls", 0), ("tokens", 0)).items[i].remaining for i in (0, 1)]

    made.archive("acme")

    assert Reason.CUSTOMER_ARCHIVED == ask(made, ("calls", 1), ("tokens", 1)).reason


def test_every_item_is_explained(made: Bench) -> None:
    answer = ask(made, ("calls", 501), ("export", 1), explain=True)

    told = [item.explanation for item in answer.items]
    assert all(one is not None and one.sources for one in told)
    assert told[0] is not None
    assert "500 per 100 years" == told[0].denied_by


def test_a_damaged_counter_fails_its_call_only(made: Bench) -> None:
    ask(made, ("calls", 1), ("tokens", 1))
    usage = made.keys.customer("acme").usage
    for name in raw(made.store).keys(f"{usage}:tokens:*"):
        raw(made.store).set(name, "x")

    bad, good = made.engine.decide([all_of(("calls", 1), ("tokens", 1)), all_of(("calls", 1))])

    assert isinstance(bad, Damaged)
    assert "'calls' or 'tokens'" in str(bad)
    assert isinstance(good, ConsumeAllDecision)
    assert 2 == good.items[0].used


@pytest.mark.parametrize("seed", range(3))
def test_random_calls_agree_with_a_model_in_plain_python(made: Bench, seed: int) -> None:
    rng = random.Random(seed)
    # By item: counter -> amount for each of the quantity; caps by counter.
    takes = {
        "calls": {"calls": 1},
        "tokens": {"tokens": 1},
        "seats": {"seats": 1},
        "budget": {"budget": 1},
        "image": {"image": 1, "budget": 200},
        "video": {"budget": 300},
    }
    caps = {"calls": 500, "tokens": 1000, "seats": 3, "budget": 1000, "image": 100}
    used = dict.fromkeys(caps, 0)
    for _ in range(60):
        requests, expected = [], []
        for _ in range(rng.randrange(1, 6)):
            names = rng.sample(sorted(takes), rng.randrange(1, 5))
            low = {"seats": -2}
            asked = [(name, rng.randrange(low.get(name, 0), 4)) for name in names]
            amounts: dict[str, int] = {}
            for name, quantity in asked:
                for counter, each in takes[name].items():
                    amounts[counter] = amounts.get(counter, 0) + quantity * each
            fits = all(a < 0 or used[c] + a <= caps[c] for c, a in amounts.items())
            if fits:
                for counter, amount in amounts.items():
                    used[counter] = max(used[counter] + amount, 0)
            requests.append(all_of(*asked))
            expected.append(fits)
        answers = made.engine.decide(requests)
        assert expected == [isinstance(a, ConsumeAllDecision) and a.allowed for a in answers]
    assert {name: count for name, count in used.items() if count} == counters(made)


@pytest.fixture(scope="module")
def servers(pair: Pair) -> Pair:
    pair.publish(CATALOG)
    return pair


def test_racing_calls_on_several_servers_take_all_or_nothing(servers: Pair, customer: str) -> None:
    rng = random.Random(7)
    stubs = (servers.first.quota, servers.second.quota)
    wanted, calls = [], []
    for i in range(600):
        asked = {"calls": 1, "tokens": rng.choice((1, 2, 5)), "image": rng.choice((0, 0, 0, 1))}
        items = [pb.ConsumeItem(feature_id=name, quantity=q) for name, q in asked.items()]
        rng.shuffle(items)
        request = pb.CheckAndConsumeAllRequest(customer_id=customer, items=items)
        wanted.append(asked)
        calls.append(stubs[i % 2].CheckAndConsumeAll.future(request, timeout=CALL_S))

    answers = [call.result() for call in calls]

    taken = {
        name: sum(a[name] for a, answer in zip(wanted, answers, strict=True) if answer.allowed)
        for name in ("calls", "tokens", "image")
    }
    found = {name.partition(":")[0]: used for name, used in servers.counters(customer).items()}
    assert taken | {"budget": 200 * taken["image"]} == found
    assert 0 < taken["calls"] <= 500
    assert 0 < taken["tokens"] <= 1000
    assert 5 == taken["image"]
    # What is left is denied for a reason that is true.
    for answer in answers:
        if not answer.allowed:
            item = answer.items[answer.stopped_by]
            assert not item.allowed
            assert item.reason == answer.reason
