"""What each verb does to each kind of limit: 100 of each, 80 used, and 50 are asked for.

A verb that a kind does not have is INVALID_ARGUMENT, and its message names the call to use.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from quotad.client import Client, QuotaInvalid
from tests.running import CALL_S, Running

PLANS = """
version: 1
default_plan: free
features:
  hard: {type: metered}
  soft: {type: metered}
  pooled: {type: metered, credit: {pool: credits, cost: 2}}
  credits: {type: metered}
  gauge: {type: metered, kind: gauge}
  slots: {type: metered, kind: concurrency}
plans:
  free:
    entitlements:
      hard: {limit: 100, per: year}
      soft: {limit: 100, per: year, soft: true}
      pooled: unlimited
      credits: {limit: 200, per: year}
      gauge: {limit: 100}
      slots: {limit: 100}
"""
WEIGHTS = {"pooled": 2}


class Did(NamedTuple):
    """What a verb did."""

    allowed: bool
    reason: str
    granted: int
    used: int
    """Afterwards, in units of the feature; what is held is part of it."""


def of(decision: Any) -> tuple[bool, str, int]:
    return decision.allowed, decision.reason.name, decision.granted


def reserve_and(settle: Callable[[Client, str, str], Any]) -> Callable[[Client, str, str], Any]:
    """Hold the 20 that remain, and settle."""

    def verb(client: Client, customer: str, feature: str) -> Any:
        held = client.reserve(customer, feature, 20)
        return of(settle(client, customer, held.reservation_id))

    return verb


def lease(client: Client, customer: str, feature: str) -> Any:
    term = client.acquire_lease(customer, feature, 50)
    return (term.granted > 0, term.decision.reason.name, term.granted)


def acquire_slot(client: Client, customer: str, feature: str) -> Any:
    (slot,) = client.acquire_slot(customer, feature, 20).decision.items
    return of(slot)


VERBS: dict[str, Callable[[Client, str, str], Any]] = {
    "consume": lambda client, *of_: of(client.consume(*of_, 50)),
    "consume -30": lambda client, *of_: of(client.consume(*of_, -30)),
    "best effort": lambda client, *of_: of(client.consume(*of_, 50, best_effort=True)),
    "check": lambda client, *of_: of(client.check(*of_, 50)),
    "record": lambda client, *of_: of(client.record(*of_, 50)),
    "refund 30": lambda client, *of_: of(client.refund(*of_, 30)),
    "set usage to 40": lambda client, *of_: of(client.set_usage(*of_, 40)),
    "reserve": lambda client, *of_: of(client.reserve(*of_, 50).decision),
    "reserve 20, commit 10": reserve_and(lambda client, *which: client.commit(*which, 10)),
    "reserve 20, release": reserve_and(lambda client, *which: client.release(*which)),
    "lease": lease,
    "slot of 20": acquire_slot,
}
FULL, CREDITS, SOFT, OVER, WITHIN = (
    "LIMIT_EXCEEDED",
    "INSUFFICIENT_CREDITS",
    "OVER_SOFT_LIMIT",
    "OVER_LIMIT",
    "WITHIN_LIMIT",
)
SLOT_INSTEAD = "hold a slot of it by AcquireSlot"
REFUND_INSTEAD = "take back what was counted by a Refund"
NEGATIVE_INSTEAD = "give it back by a consume of a negative quantity"
CONSUME_INSTEAD = "use CheckAndConsume"

KINDS = ("hard", "soft", "pooled", "gauge", "slots")
TABLE: dict[str, tuple[Did | str, ...]] = {
    "consume": (
        Did(False, FULL, 0, 80),
        Did(True, SOFT, 50, 130),
        Did(False, CREDITS, 0, 80),
        Did(False, FULL, 0, 80),
        SLOT_INSTEAD,
    ),
    "consume -30": (
        REFUND_INSTEAD,
        REFUND_INSTEAD,
        REFUND_INSTEAD,
        Did(True, WITHIN, -30, 50),
        SLOT_INSTEAD,
    ),
    "best effort": (
        Did(True, WITHIN, 20, 100),
        Did(True, SOFT, 50, 130),
        Did(True, WITHIN, 20, 100),
        Did(True, WITHIN, 20, 100),
        SLOT_INSTEAD,
    ),
    "check": (
        Did(False, FULL, 0, 80),
        Did(True, SOFT, 0, 80),
        Did(False, CREDITS, 0, 80),
        Did(False, FULL, 0, 80),
        Did(False, FULL, 0, 80),
    ),
    "record": (
        Did(True, OVER, 50, 130),
        Did(True, SOFT, 50, 130),
        Did(True, OVER, 50, 130),
        Did(True, OVER, 50, 130),
        SLOT_INSTEAD,
    ),
    "refund 30": (*[Did(True, WITHIN, -30, 50)] * 3, NEGATIVE_INSTEAD, SLOT_INSTEAD),
    "set usage to 40": (
        Did(True, WITHIN, -40, 40),
        Did(True, WITHIN, -40, 40),
        Did(True, "UNLIMITED", -40, 80),  # its own count; what the pool has paid is set by its name
        Did(True, WITHIN, -40, 40),
        "is counted by its slots; release them",
    ),
    "reserve": (
        Did(False, FULL, 0, 80),
        Did(True, SOFT, 50, 130),
        Did(False, CREDITS, 0, 80),
        Did(False, FULL, 0, 80),
        SLOT_INSTEAD,
    ),
    "reserve 20, commit 10": (*[Did(True, WITHIN, -10, 90)] * 4, SLOT_INSTEAD),
    "reserve 20, release": (*[Did(True, WITHIN, -20, 80)] * 4, SLOT_INSTEAD),
    "lease": (Did(True, WITHIN, 2, 82), *[CONSUME_INSTEAD] * 3, SLOT_INSTEAD),
    "slot of 20": (*[CONSUME_INSTEAD] * 4, Did(True, WITHIN, 20, 100)),
}
"""By verb, what it does to each of KINDS; a text: it is refused with this in its message."""
CELLS = [(verb, kind, row[i]) for verb, row in TABLE.items() for i, kind in enumerate(KINDS)]


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


@pytest.fixture(scope="module")
def client(quotad: Running) -> Iterator[Client]:
    with Client(quotad.server.address, timeout=CALL_S) as made:
        yield made


def used(client: Client, customer: str, feature: str) -> int:
    found = client.entitlement(customer, feature)
    pool = [limit for limit in found.limits if limit.pool_id]
    told: Any = pool[0] if pool else found
    total: int = told.used + told.reserved + told.leased
    return total // WEIGHTS.get(feature, 1)


@pytest.mark.parametrize(
    ("verb", "kind", "expected"), CELLS, ids=[f"{verb}: {kind}" for verb, kind, _ in CELLS]
)
def test_a_verb_does_to_a_kind_of_limit_what_the_table_has(
    client: Client, customer: str, verb: str, kind: str, expected: Did | str
) -> None:
    if kind == "slots":
        client.acquire_slot(customer, kind, 80)
    else:
        client.consume(customer, kind, 80)

    if isinstance(expected, str):
        with pytest.raises(QuotaInvalid) as refused:
            VERBS[verb](client, customer, kind)
        assert refused.value.message.startswith(("feature_id: ", "quantity: "))
        assert expected in refused.value.message
        assert 80 == used(client, customer, kind)
    else:
        did = VERBS[verb](client, customer, kind)
        assert expected == (*did, used(client, customer, kind))


def test_the_table_has_every_verb_and_kind() -> None:
    assert list(VERBS) == list(TABLE)
    assert {len(KINDS)} == {len(row) for row in TABLE.values()}


def test_what_a_pool_has_paid_is_set_by_its_own_name(client: Client, customer: str) -> None:
    client.consume(customer, "pooled", 80)

    assert -60 == client.set_usage(customer, "credits", 100).granted
    assert 50 == used(client, customer, "pooled")
