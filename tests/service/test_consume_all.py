"""CheckAndConsumeAll over the wire: refusals by name, both clients, the command line."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from quotad.client import (
    AsyncClient,
    Client,
    ConsumeAllDecision,
    Item,
    QuotaError,
    QuotaInvalid,
    Reason,
)
from quotad.model import QUANTITY_MAX
from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, Running, refusal, running
from tests.service.command_line import words
from tests.service.either import Either

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered}
  support: {type: config, values: [email, phone]}
plans:
  free:
    entitlements:
      calls: {limit: 10, per: 100 years}
      tokens: {limit: 1000, per: 100 years}
      support: [email]
"""


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(CATALOG)
    return served


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "asyncio"])
async def client(request: pytest.FixtureRequest, quotad: Running) -> Any:
    either = Either(request.param, quotad.server.address)
    yield either
    await either.close()


CALLS = pb.ConsumeItem(feature_id="calls")
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no customer": ("customer_id", {"customer_id": ""}),
    "no items": ("items", {"items": []}),
    "17 items": ("items", {"items": [pb.ConsumeItem(feature_id=f"f{i}") for i in range(17)]}),
    "no feature": ("items[1].feature_id", {"items": [CALLS, pb.ConsumeItem()]}),
    "a feature twice": ("items[1].feature_id", {"items": [CALLS, CALLS]}),
    "of a resource twice": (
        "items[2].feature_id",
        {"items": [CALLS, *[pb.ConsumeItem(feature_id="calls", resource_id="r")] * 2]},
    ),
    "a bad resource": (
        "items[0].resource_id",
        {"items": [pb.ConsumeItem(feature_id="calls", resource_id="a\nb")]},
    ),
    "too much": (
        "items[0].quantity",
        {"items": [pb.ConsumeItem(feature_id="calls", quantity=QUANTITY_MAX + 1)]},
    ),
    "too many values": (
        "items[0].requested_values",
        {"items": [pb.ConsumeItem(feature_id="support", requested_values=["x"] * 1001)]},
    ),
    "a bad value": (
        "items[0].requested_values[1]",
        {"items": [pb.ConsumeItem(feature_id="support", requested_values=["email", ""])]},
    ),
    "values of a counter": (
        "items[1].requested_values",
        {"items": [CALLS, pb.ConsumeItem(feature_id="tokens", requested_values=["x"])]},
    ),
    "given back": (
        "items[1].quantity",
        {"items": [CALLS, pb.ConsumeItem(feature_id="tokens", quantity=-1)]},
    ),
    "a bad key": ("idempotency_key", {"idempotency_key": "k" * 257}),
    "a mode of single calls": ("mode", {"mode": pb.MODE_ADJUST_ONLY}),
    "an unknown mode": ("mode", {"mode": 99}),
}


@pytest.mark.parametrize(("field", "fields"), REFUSED.values(), ids=REFUSED)
def test_what_never_works_is_refused_by_its_field(
    quotad: Running, customer: str, field: str, fields: dict[str, Any]
) -> None:
    request = pb.CheckAndConsumeAllRequest(**{"customer_id": customer, "items": [CALLS], **fields})

    failed = refusal(lambda: quotad.quota.CheckAndConsumeAll(request, timeout=CALL_S))

    assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (failed.code.name, failed.reason)
    assert failed.message.startswith(f"{field}: "), failed.message
    assert 10 == quotad.consume(customer, "calls", quantity=0).remaining


async def test_both_clients_count_all_of_it_or_nothing(client: Either, customer: str) -> None:
    fits = await client("consume_all", customer, {"calls": 1, "tokens": 900})
    denied = await client("consume_all", customer, [Item("calls"), Item("tokens", 101)])

    assert isinstance(fits, ConsumeAllDecision)
    assert (True, None, Reason.WITHIN_LIMIT) == (fits.allowed, fits.stopped_by, fits.reason)
    assert [(1, 9), (900, 100)] == [(item.granted, item.remaining) for item in fits.items]
    assert (False, 1, Reason.LIMIT_EXCEEDED) == (denied.allowed, denied.stopped_by, denied.reason)
    assert [(True, 1), (False, 900)] == [(item.allowed, item.used) for item in denied.items]
    assert denied.retry_after is not None
    assert 1 == (await client("check", customer, "calls")).used


async def test_both_clients_check_and_repeat_under_a_key(client: Either, customer: str) -> None:
    items = [Item("tokens", 7), Item("support", requested_values=["email"])]

    check = await client("check_all", customer, items)
    first, again = [
        await client("consume_all", customer, items, idempotency_key="k") for _ in range(2)
    ]

    assert [(True, 0), (True, 0)] == [(item.allowed, item.granted) for item in check.items]
    assert (first.items, False, True) == (again.items, first.replayed, again.replayed)
    assert 7 == (await client("check", customer, "tokens")).used
    with pytest.raises(QuotaError, match="was used before"):
        await client("consume_all", customer, {"tokens": 8}, idempotency_key="k")


async def test_both_clients_take_back_one_feature_or_all_of_them(
    client: Either, customer: str
) -> None:
    await client("consume_all", customer, {"calls": 2, "tokens": 30}, idempotency_key="k")

    one = await client("refund", customer, "tokens", taken_under="k")
    rest = await client("refund_all", customer, "k")

    assert (-30, 0) == (one.granted, one.used)
    assert (("calls", "tokens"), [(-2, False), (-30, True)]) == (
        rest.features,
        [(item.granted, item.replayed) for item in rest.items],
    )
    assert 0 == (await client("check", customer, "tokens")).used


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ({"calls": 2**64}, "items[0].quantity: 18446744073709551616 is out of range"),
        ([Item("support", requested_values="email")], "items[0].requested_values: must be a list"),
    ],
)
async def test_what_no_message_can_hold_is_named(client: Either, items: Any, problem: str) -> None:
    with pytest.raises(QuotaInvalid) as failed:
        await client("consume_all", "acme", items)

    assert str(failed.value).startswith(problem)


async def test_every_item_is_explained_on_request(client: Either, customer: str) -> None:
    decision = await client("consume_all", customer, {"calls": 11, "support": 1}, explain=True)

    assert ["10 per 100 years", ""] == [item.explanation.denied_by for item in decision.items]
    assert all(item.explanation.sources for item in decision.items)


@pytest.fixture(scope="module")
def lone(store_url: str) -> Iterator[Running]:
    with running(store_url, "t-consume-all-cli", "grpcio") as made:
        made.publish_and_wait(CATALOG)
        yield made


def test_the_command_line_shows_every_item(lone: Running, customer: str) -> None:
    from quotad.cli.app import app

    def run(*asked: str) -> Any:
        arguments = ["consume-all", customer, *asked, "--server", lone.server.address]
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})

    check = run("calls=2", "tokens=900", "--check-only", "--json")
    taken, denied = run("calls=2", "tokens=900"), run("calls", "tokens=101")

    assert [0, 0] == [item["granted"] for item in json.loads(check.stdout)["items"]]
    assert [0, 0, 1] == [result.exit_code for result in (check, taken, denied)]
    assert "tokens 900 900 100 WITHIN_LIMIT" in words(taken)
    assert (
        "denied tokens: a hard limit has no room for the quantity (LIMIT_EXCEEDED)"
        == words(denied)[0]
    )
    assert "calls 0 2 8 WITHIN_LIMIT" in words(denied)
    assert 0 == run("tokens=50", "--idempotency-key", "k").exit_code
    refund = ["refund", customer, "--taken-under", "k", "--server", lone.server.address]
    back = CliRunner().invoke(app, refund, env={"COLUMNS": "120"})
    assert (0, True) == (back.exit_code, "tokens -50 900 100 WITHIN_LIMIT" in words(back))
    for bad in (["calls=x"], ["calls", "calls=2"], ["=1"]):
        assert 2 == run(*bad).exit_code
