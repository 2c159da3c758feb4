"""Every operation of `/v1` on the real store, as one customer's life after another."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quotad.client.answers import entitlement as read_entitlement
from quotad.http.app import OPERATIONS
from quotad.v1 import quota_pb2
from tests.http.serving import HttpCaller, HttpRunning, Reply, http_running

CATALOG = """
version: 1
default_plan: free
features:
  calls:   {type: metered, unit: call, ledger: all}
  credits: {type: metered, decimals: 2}
  images:  {type: metered, credit: {pool: credits, cost: "0.50"}}
  seats:   {type: metered, kind: gauge}
  exports: {type: metered, kind: concurrency}
  sso:     {type: boolean}
  mails:   {type: metered}
  regions: {type: config, values: [eu, us]}
plans:
  free:
    entitlements:
      calls: {limit: 5}
  pro:
    extends: free
    entitlements:
      calls:   {limit: 1000}
      credits: {limit: 10}
      images:  true
      seats:   {limit: {per_unit: 1}}
      exports: {limit: 2}
      mails:
        limit: 10
        soft: true
        overage_price: {amount: "0.40", currency: EUR, each: 100}
      regions: [eu]
addons:
  more-calls:
    max_quantity: 3
    entitlements:
      calls: {add: 100}
"""


class Life:
    """Calls about one customer."""

    def __init__(self, caller: HttpCaller, customer: str) -> None:
        self.id = customer
        self._caller = caller

    def __call__(self, name: str, body: Any = None, query: str = "", **segments: str) -> Any:
        """Call an operation that must succeed; returns the body of its answer."""
        reply = self.reply(name, body, query, **segments)
        assert 200 == reply.status, (name, reply.body)
        return reply.body

    def reply(self, name: str, body: Any = None, query: str = "", **segments: str) -> Reply:
        [operation] = [each for each in OPERATIONS if each.name == name]
        path = operation.path.format(customer_id=self.id, **segments) + query
        if operation.method in ("POST", "PUT", "PATCH"):
            if "customer_id" in operation.wanted.__struct_fields__ and self.id not in path:
                body = {"customer_id": self.id} | (body or {})
            return self._caller.send(operation.method, path, body or {})
        return self._caller.send(operation.method, path)


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[HttpRunning]:
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        files = [{"name": "plans.yaml", "content": CATALOG}]
        life = Life(made, "first")
        diff = life("DiffCatalog", {"files": files})
        assert (None, True) == (diff["version"], diff["changes_count"] > 0)
        published = life(
            "PublishCatalog", {"files": files, "published_by": "test", "comment": "the first"}
        )
        assert ("PUBLISHED", 1) == (published["outcome"], published["version"]["version"])
        assert "the first" == published["version"]["comment"]
        made.wait_ready()
        yield made


@pytest.fixture
def life(served: HttpRunning, customer: str) -> Life:
    made = Life(served, customer)
    made("ProvisionCustomer", {"plan_id": "pro", "name": "Acme", "unit_quantity": 3})
    return made


def test_a_customer_is_written_read_found_and_erased(life: Life) -> None:
    found = life("GetCustomer")
    assert (life.id, "ACTIVE", "Acme") == (found["customer_id"], found["status"], found["name"])
    assert [("pro", "ACTIVE", 3)] == [
        (each["plan_id"], each["status"], each["unit_quantity"]) for each in found["subscriptions"]
    ]

    changed = life("ChangeSubscription", {"addons": {"more-calls": 2}, "if_epoch": found["epoch"]})
    assert {"more-calls": 2} == changed["subscriptions"][0]["addons"]
    stale = life.reply("ChangeSubscription", {"plan_id": "free", "if_epoch": found["epoch"]})
    assert (412, "STALE_EPOCH", changed["epoch"]) == (
        stale.status,
        stale.body["reason"],
        stale.body["epoch"],
    )

    known = life("UpdateCustomer", {"email": "a@acme.test", "external_ids": {"crm": "7"}})
    assert ("a@acme.test", {"crm": "7"}) == (known["email"], known["external_ids"])

    life("SetOverride", {"entitlement": {"limit": 7}}, feature_id="calls")
    life("GrantPromotion", {"entitlement": True, "end": "2100-01-01T00:00:00Z"}, feature_id="sso")
    found = life("GetCustomer")
    assert [{"limits": [{"limit": 7}]}] == [each["entitlement"] for each in found["overrides"]]
    assert [(True, "2100-01-01T00:00:00Z")] == [
        (each["entitlement"], each["end"]) for each in found["promotions"]
    ]
    later = {"entitlement": {"limit": 7}, "start": "2099-01-01T00:00:00Z"}
    set_later = life("SetOverride", later, feature_id="calls")["overrides"]
    assert "2099-01-01T00:00:00Z" in [each["start"] for each in set_later]
    life("RemoveOverride", feature_id="calls")
    gone = life(
        "RevokePromotion", None, f"?if_epoch={life('GetCustomer')['epoch']}", feature_id="sso"
    )
    assert ([], []) == (gone["overrides"], gone["promotions"])

    assert [life.id] == [
        each["customer_id"]
        for each in life("ListCustomers", None, f"?id_prefix={life.id}")["customers"]
    ]
    life("CancelSubscription")
    archived = life("ArchiveCustomer")
    assert ("ARCHIVED", "local") == (archived["status"], archived["updated_by"])
    latest = life("ListCustomerChanges")["changes"]
    assert ("ArchiveCustomer", ["archived"], archived["epoch"]) == (
        latest[0]["call"],
        latest[0]["changes"],
        latest[0]["epoch"],
    )
    assert {"local"} == {each["actor"] for each in latest}
    assert latest[0]["undoable"]
    look = life("RollbackCustomer", {"epoch": archived["epoch"], "dry_run": True})
    assert (["brought back"], archived["epoch"]) == (look["changes"], look["customer"]["epoch"])
    wanted = {"epoch": archived["epoch"], "if_epoch": archived["epoch"], "comment": "a mistake"}
    back = life("RollbackCustomer", wanted)
    assert ("ACTIVE", "a mistake") == (
        back["customer"]["status"],
        life("ListCustomerChanges")["changes"][0]["comment"],
    )
    assert [latest[0]] == back["undone"]
    again = life.reply("RollbackCustomer", wanted)
    assert (412, "STALE_EPOCH") == (again.status, again.body["reason"])
    life("ArchiveCustomer")
    erased = life("EraseCustomer", {"erased_by": "test"})
    assert erased["had_record"]
    assert erased["erasure"]["proof"] in [
        each["proof"] for each in life("ListErasures")["erasures"]
    ]
    missing = life.reply("GetCustomer")
    assert (404, "NOT_FOUND") == (missing.status, missing.body["reason"])


def test_what_is_taken_is_looked_at_recorded_and_refunded(life: Life) -> None:
    taken = life("CheckAndConsume", {"feature_id": "calls", "quantity": 3})
    assert (3, 3, 997) == (taken["granted"], taken["used"], taken["remaining"])
    looked = life("Check", {"feature_id": "calls"})
    assert (True, 0, 3) == (looked["allowed"], looked["granted"], looked["used"])
    told = life("Explain", {"feature_id": "calls", "quantity": 1000})
    assert (False, "PLAN", {"limits": [{"limit": 1000}]}, 3) == (
        told["allowed"],
        told["explanation"]["sources"][0]["kind"],
        told["explanation"]["sources"][0]["grants"],
        told["explanation"]["missing"],
    )
    past = life("Record", {"feature_id": "calls", "quantity": 1000, "idempotency_key": "r"})
    assert (True, "OVER_LIMIT", 1003) == (past["allowed"], past["reason"], past["used"])
    back = life("Refund", {"feature_id": "calls", "taken_under": "r"})
    assert (-1000, 3) == (back["granted"], back["used"])

    [usage] = life("GetUsage", None, f"?customer_id={life.id}&feature_id=calls")["usage"]
    assert (3, "", "call") == (usage["used"], usage["per"], usage["unit"])


def test_usage_is_set_and_the_correction_is_kept(life: Life) -> None:
    life("CheckAndConsume", {"feature_id": "calls", "quantity": 3})
    why = {"reason": "counted twice", "actor": "ann"}
    was = life("SetUsage", {"feature_id": "calls", "used": 10, "idempotency_key": "s", **why})
    assert (7, 10, 990) == (was["granted"], was["used"], was["remaining"])

    found = life("ListCorrections")["corrections"]
    shown = [(each["verb"], each["change"], each["actor"], each["key"]) for each in found]
    assert [("set", 7, "ann", "s")] == shown


def test_what_was_counted_and_denied_is_in_the_ledger(life: Life) -> None:
    life("CheckAndConsume", {"feature_id": "calls", "quantity": 3, "idempotency_key": "k"})
    life("CheckAndConsume", {"feature_id": "calls", "quantity": 5000})

    page = life("ListLedger", None, f"?customer_id={life.id}&since=2026-01-01T00:00:00Z")

    shown = [(each["verb"], each["quantity"], each["reason"]) for each in page["entries"]]
    assert [("consume", 3, "WITHIN_LIMIT"), ("consume", 5000, "LIMIT_EXCEEDED")] == shown
    assert ("k", 3, 997, 1000) == tuple(
        page["entries"][0][name] for name in ("idempotency_key", "used", "remaining", "limit")
    )
    query = f"?customer_id={life.id}&newest_first=true&page_size=1&reason=LIMIT_EXCEEDED"
    assert [5000] == [each["quantity"] for each in life("ListLedger", None, query)["entries"]]
    later = life("ListLedger", None, f"?customer_id={life.id}&position={page['position']}")
    assert ([], False) == (later["entries"], later["more"])


def test_counters_are_compared_with_the_ledger(life: Life) -> None:
    life("CheckAndConsume", {"feature_id": "calls", "quantity": 3})

    found = life("AuditUsage", None, f"?customer_id={life.id}&feature_id=calls")

    assert {"counters": [], "agreed": 1, "next_page_token": ""} == found
    wanted = {"feature_id": "calls", "apply": True, "reason": "lost"}
    assert found == life("RebuildUsage", wanted)


def test_several_requests_are_one_batch_and_several_features_one_decision(life: Life) -> None:
    answers = life(
        "BatchCheckAndConsume",
        {
            "requests": [
                {"customer_id": life.id, "feature_id": "calls"},
                {"customer_id": life.id},
                {"customer_id": life.id, "feature_id": "calls", "quantity": 5000},
                "what?",
            ]
        },
    )["results"]
    assert [True, "feature_id: missing", False, "body: expected object, got str"] == [
        each["error"]["detail"] if "error" in each else each["response"]["allowed"]
        for each in answers
    ]

    images: dict[str, Any] = {"feature_id": "images", "quantity": 21}
    items = [{"feature_id": "calls"}, images]
    denied = life("CheckAndConsumeAll", {"items": items})
    assert (False, "INSUFFICIENT_CREDITS", 1) == (
        denied["allowed"],
        denied["reason"],
        denied["stopped_by"],
    )
    images["quantity"] = 20
    taken = life("CheckAndConsumeAll", {"items": items, "idempotency_key": "k"})
    assert (True, [2, 1000]) == (taken["allowed"], [each["used"] for each in taken["items"]])


def test_a_reservation_is_settled_and_a_lease_returned(life: Life) -> None:
    held = life(
        "Reserve", {"feature_id": "calls", "reservation_id": "r", "quantity": 10, "ttl_ms": 60_000}
    )
    assert (True, 10) == (held["decision"]["allowed"], held["decision"]["granted"])
    assert (
        held["expires_at"]
        < life("Extend", {"reservation_id": "r", "ttl_ms": 3_600_000})["expires_at"]
    )
    assert -6 == life("Commit", {"reservation_id": "r", "quantity": 4})["granted"]
    life("Reserve", {"feature_id": "calls", "reservation_id": "other"})
    assert -1 == life("Release", {"reservation_id": "other"})["granted"]
    both = {"items": [{"feature_id": "calls", "quantity": 2}, {"feature_id": "seats"}]}
    several = life("Reserve", {"reservation_id": "both", **both})["decision"]
    assert [("calls", 2), ("seats", 1)] == [
        (each["feature_id"], each["decision"]["granted"]) for each in several["items"]
    ]
    used = {"items": [{"feature_id": "calls", "quantity": 1}]}
    settled = life("Commit", {"reservation_id": "both", **used})
    assert [-1, 0] == [each["decision"]["granted"] for each in settled["items"]]
    again = life.reply("Release", {"reservation_id": "never"})
    assert (404, "NOT_FOUND") == (again.status, again.body["reason"])

    lent = life("AcquireLease", {"feature_id": "calls", "lease_id": "l", "quantity": 20})
    assert (20, True) == (lent["granted"], lent["term_ms"] > 0)
    more = life("RenewLease", {"lease_id": "l", "sequence": 1, "spent": 5, "quantity": 30})
    assert 35 == more["granted"]
    assert 29 == life("ReleaseLease", {"lease_id": "l", "spent": 6})["returned"]


def test_slots_are_held_extended_listed_and_released(life: Life) -> None:
    fields = {"feature_id": "exports", "slot_id": "s", "ttl_ms": 60_000}
    held = life("AcquireSlot", {**fields, "also": [{"feature_id": "calls", "quantity": 3}]})
    assert (True, [1, 3]) == (
        held["decision"]["allowed"],
        [each["used"] for each in held["decision"]["items"]],
    )
    full = life("AcquireSlot", {**fields, "slot_id": "other", "quantity": 2})
    assert (False, "LIMIT_EXCEEDED", None) == (
        full["decision"]["allowed"],
        full["decision"]["reason"],
        full["expires_at"],
    )
    later = life("Heartbeat", {"slot_id": "s", "ttl_ms": 3_600_000})
    assert held["expires_at"] < later["expires_at"]
    assert [{"slot_id": "s", "quantity": 1, **later}] == life("ListSlots", feature_id="exports")[
        "slots"
    ]
    entitlement = life("GetEntitlement", feature_id="exports")["entitlement"]
    assert (True, 1) == (entitlement["concurrency"], entitlement["used"])
    assert [True, False] == [life("ReleaseSlot", {"slot_id": "s"})["released"] for _ in range(2)]
    ended = life.reply("Heartbeat", {"slot_id": "s"})
    assert "NOT_OPEN" == ended.body["reason"]
    twice = life.reply("AcquireSlot", {**fields, "also": [{"feature_id": "calls"}] * 2})
    assert "also[1].feature_id" == twice.body["detail"].split(":")[0]


def test_entitlements_are_read_one_by_one_and_all_at_once(life: Life) -> None:
    one = life("GetEntitlement", feature_id="seats")["entitlement"]
    assert (True, 3, "METERED", True) == (
        one["allowed"],
        one["limit"],
        one["feature_type"],
        one["gauge"],
    )
    all_of_them = life("GetEntitlements")
    assert "pro" == all_of_them["plan_id"]
    assert ["calls", "credits", "images", "seats", "exports", "mails", "regions"] == [
        each["feature_id"] for each in all_of_them["entitlements"]
    ]
    assert ["eu"] == all_of_them["entitlements"][-1]["values"]


def test_customers_are_imported_exported_and_seen(served: HttpRunning, customer: str) -> None:
    life = Life(served, customer)
    rows = [{"customer_id": customer, "plan": "pro"}, {"customer_id": customer}]
    done = life("ImportCustomers", {"rows": rows})
    assert (1, [1]) == (done["written"], [each["row"] for each in done["problems"]])
    page = life("ExportCustomers", None, "?page_size=1000")
    [row] = [row for row in page["rows"] if row["customer_id"] == customer]
    assert "pro" == row["plan"]

    seen = Life(served, f"{customer}-seen")
    seen("CheckAndConsume", {"feature_id": "calls"})
    found = seen("ListSeenCustomers", None, f"?id_prefix={seen.id}")["customers"]
    assert [seen.id] == [each["customer_id"] for each in found]


def test_catalogs_have_a_history_and_go_back(served: HttpRunning, customer: str) -> None:
    life = Life(served, customer)
    files = [{"name": "plans.yaml", "content": CATALOG.replace("limit: 5", "limit: 6")}]
    refused = life.reply("PublishCatalog", {"files": files, "expected_version": 77})
    assert (409, "CONFLICT") == (refused.status, refused.body["reason"])
    bad = life.reply("PublishCatalog", {"files": [{"content": "version: 1\nplans: {a: {b: 1}}"}]})
    assert (400, "BAD_CATALOG", True) == (
        bad.status,
        bad.body["reason"],
        len(bad.body["problems"]) > 0,
    )
    published = life("PublishCatalog", {"files": files})
    [change] = published["changes"]
    assert (5, 6) == (change["before"], change["after"])
    assert 2 == life("GetCatalog")["version"]["version"]
    first = life("GetCatalog", None, "?version=1")
    assert (1, False) == (first["version"]["version"], first["version"]["in_force"])
    assert {"limits": [{"limit": 5}]} == first["document"]["plans"]["free"]["entitlements"]["calls"]
    back = life("RollbackCatalog", {"version": 1, "comment": "too much"})["version"]
    assert (3, "too much") == (back["version"], back["comment"])
    assert [3, 2, 1] == [each["version"] for each in life("ListCatalogVersions")["versions"]]


def test_the_price_of_overage_is_in_entitlements_of_both_edges(
    life: Life, served: HttpRunning
) -> None:
    price = {"amount": "0.40", "currency": "EUR", "each": 100}
    one = life("GetEntitlement", feature_id="mails")["entitlement"]
    every = {each["feature_id"]: each for each in life("GetEntitlements")["entitlements"]}

    assert (price, one) == (one["overage_price"], every["mails"])
    assert "overage_price" not in every["calls"]
    for each in (
        served.grpc.quota.GetEntitlement(
            quota_pb2.GetEntitlementRequest(customer_id=life.id, feature_id="mails")
        ).entitlement,
        next(
            each
            for each in served.grpc.quota.GetEntitlements(
                quota_pb2.GetEntitlementsRequest(customer_id=life.id)
            ).entitlements
            if each.feature_id == "mails"
        ),
    ):
        told = each.overage_price
        assert ("0.40", "EUR", 100) == (told.amount, told.currency, told.each)
        assert "0.40" == read_entitlement(each).overage_price.amount  # type: ignore[union-attr]


def test_insights_and_status_are_answered(life: Life) -> None:
    life("CheckAndConsume", {"feature_id": "calls", "quantity": 900})
    [feature] = life("GetInsights", None, "?feature_id=calls")["features"]
    assert life.id in [each["customer_id"] for each in feature["near"]]
    status = life("GetStatus")
    assert (True, "http") == (status["ready"], status["front"])


def test_the_first_token_is_not_made_by_a_caller_without_one(life: Life) -> None:
    made = life.reply("CreateToken", {"name": "ops", "role": "ADMIN"})
    assert (403, "PERMISSION_DENIED") == (made.status, made.body["reason"])
    assert "quotad tokens create --role admin" in made.body["detail"]
    assert [] == life("ListTokens")["tokens"]
    assert 404 == life.reply("RotateToken", token_id="none").status
    assert 404 == life.reply("RevokeToken", token_id="none").status


def test_webhooks_are_made_listed_tried_rotated_and_removed(life: Life) -> None:
    made = life("AddWebhook", {"url": "https://127.0.0.1/hook", "events": ["usage.limit_reached"]})
    one = made["webhook"]["webhook_id"]
    assert made["secret"].startswith("whsec_")
    assert [made["webhook"]] == life("ListWebhooks")["webhooks"]
    again = life("RotateWebhook", webhook_id=one)
    assert again["secret"] != made["secret"]
    tried = life("TestWebhook", webhook_id=one)
    assert (0, "webhook.test") == (tried["status"], tried["event_type"])
    assert "127.0.0.1" in tried["problem"]
    assert [] == life("ListWebhookAttempts", webhook_id=one)["attempts"]
    assert isinstance(
        life("ReplayWebhook", {"since": "2026-01-01T00:00:00Z"}, webhook_id=one), dict
    )
    assert one == life("RemoveWebhook", webhook_id=one)["webhook_id"]
    assert 404 == life.reply("RemoveWebhook", webhook_id=one).status


def test_no_operation_is_left_out_here() -> None:
    called = set(re.findall(r'\blife(?:\.reply)?\(\s*"(\w+)"', Path(__file__).read_text()))

    assert {operation.name for operation in OPERATIONS} == called | {
        "ListSeenCustomers",
        "ProvisionCustomer",
        "WatchEntitlements",  # test_events.py
    }
