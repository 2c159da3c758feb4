"""One table of cases for every client, clients/cases.json, so that they cannot drift apart."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from quotad.client import AsyncClient, AsyncLeasedClient, Client, LeasedClient
from quotad.client.entitlements import AsyncEntitlementsClient, EntitlementsClient
from quotad.client.results import scaled
from tests.clients.kinds import KINDS, connected, snake
from tests.clients.node import Node, needs_client
from tests.clients.scripted import ScriptedServer, scripted_server
from tests.processes import ROOT

TABLE = json.loads((ROOT / "clients" / "cases.json").read_text())
DEFAULTS = TABLE["defaults"]
NO_WAIT = {"retry_after_ms": None}
HELD, DECIDED = ("reservation", "slot", "lease"), ("decision", "all", "items")


@pytest.fixture(scope="module")
def script() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[str, Node | None]:
    node = request.getfixturevalue("node") if request.param.startswith("node") else None
    return request.param, node


@pytest.mark.parametrize("case", [pytest.param(each, id=each["name"]) for each in TABLE["cases"]])
def test_a_client_does_what_the_table_says(
    kind: tuple[str, Node | None], script: ScriptedServer, case: dict[str, Any]
) -> None:
    script.plays(case["server"])
    settings = case.get("client", {})
    with connected(*kind[:1], script.address, kind[1], **settings) as call:
        answer = call(*case["call"])

    assert [wanted(case, answer), case["requests"]] == with_one_key([answer, script.requests])
    assert [] == script.steps
    # grpcio sends a deadline in units that grow with it, rounded up.
    longest_s = settings.get("timeout_ms", 10_000) / 1000 * 1.05
    assert all(0 <= left <= longest_s for left in script.time_left_s), script.time_left_s


ONLY_PYTHON = {"slot", "drop_all"}
"""A slot is a block, and `withSlot` there; a process of Node is never forked."""

ONLY_TYPESCRIPT = {
    "with_slot",
    "cache",
    "provision",
    "ready",
    "update_customer",
    "wait_for_initialization",
    "call",
    "call_once",
}
"""The administration of customers is in a client of its own in Python; the last two are not
declared."""


@needs_client
@pytest.mark.parametrize(
    ("blocking", "asyncio", "name"),
    [
        (Client, AsyncClient, "QuotadClient"),
        (LeasedClient, AsyncLeasedClient, "LeasedClient"),
        (EntitlementsClient, AsyncEntitlementsClient, "EntitlementsClient"),
    ],
)
def test_the_clients_have_the_same_methods(
    node: Node, blocking: type, asyncio: type, name: str
) -> None:
    ours, theirs = (
        {name for name, _ in inspect.getmembers(each, callable) if name[0] != "_"}
        for each in (blocking, asyncio)
    )
    typescript = set(map(snake, node.client("", "methods")("of", name)))

    assert ours == theirs
    assert ours - ONLY_PYTHON == typescript - ONLY_TYPESCRIPT


@needs_client
def test_amounts_of_credit_pools_are_read_alike(node: Node) -> None:
    read = node.client("", "functions")
    for amount, decimals in [(1250, 2), (5, 2), (0, 2), (-105, 2), (7, 0), (10**15 + 1, 6)]:
        amounts = {"limit": None, "used": amount, "remaining": 0, "overage": 0}

        credits = read("credits", {**amounts, "decimals": decimals})

        assert credits["limit"] is None
        assert format(scaled(amount, decimals), "f") == credits["used"]


def wanted(case: dict[str, Any], answer: Any) -> Any:
    if "error" in case:
        # What a case has no message of is worded by each client's own library.
        message = {"message": answer.get("error", {}).get("message")}
        return {"error": {**NO_WAIT, **message, **case["error"]}}
    return whole(case["result"])


def whole(result: dict[str, Any]) -> Any:
    """A result with all that the case leaves out."""
    [(kind, fields)] = result.items()
    if kind == "each":
        return [whole(each) for each in fields]
    if kind == "error":
        return {"error": {**NO_WAIT, **fields}}
    if kind == "value":
        return fields
    if kind in HELD:
        rest = {name: each for name, each in fields.items() if name not in DECIDED}
        [decided] = [{name: fields[name]} for name in DECIDED if name in fields]
        return {**rest, "decision": whole(decided)}
    if kind in ("all", "items"):
        items = [whole({"decision": each}) for each in fields["items"]]
        return {**DEFAULTS["all"], **fields, "items": items}
    filled = {**DEFAULTS[kind], **fields}
    if "limits" in filled:
        filled["limits"] = [{**DEFAULTS["limit"], **each} for each in filled["limits"]]
    if kind == "entitlements":
        filled[kind] = [{**DEFAULTS["entitlement"], **each} for each in filled[kind]]
    return filled


def with_one_key(seen: list[Any]) -> list[Any]:
    """Answer and requests, with a key of the client's making as $KEY: one for all of them."""
    text = json.dumps(seen)
    made = set(re.findall(r'"([0-9a-f]{32})"', text))
    assert len(made) <= 1, made
    changed: list[Any] = json.loads(re.sub(r'"[0-9a-f]{32}"', '"$KEY"', text))
    return changed
