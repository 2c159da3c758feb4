"""What admins write is in the ledger: whose each write was, and what it changed."""

from collections.abc import Iterator
from typing import Any

import pytest

from quotad.catalog import Source, parse
from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Change, Provision
from quotad.errors import InvalidRequest, NotFound, QuotadError
from quotad.ledger import LedgerEntry, WantedEntries
from quotad.operations.customers import CustomerOperations
from quotad.operations.ledger import LedgerOperations
from quotad.operations.tokens import TokenOperations
from quotad.operations.transfer import TransferOperations
from quotad.operations.webhooks import WebhookOperations
from quotad.store.erasures import Erasures
from quotad.store.keys import ledger_key
from quotad.store.ledger import LedgerStreams
from quotad.store.tokens import TokenStore
from quotad.store.webhooks import WebhookStore
from quotad.tokens.record import WantedToken
from quotad.tokens.roles import TokenRole
from quotad.webhooks.endpoint import WantedEndpoint
from quotad.webhooks.networks import Networks
from tests.deciding import Bench, bench
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered, ledger: true}}
plans:
  free: {entitlements: {calls: {limit: 5}}}
  pro: {extends: free, entitlements: {calls: {limit: 50}}}
"""


class Admin:
    """What admins do, and what the ledger has of it."""

    def __init__(self, made: Bench) -> None:
        self.bench = made
        parts = (made.customers, made.snapshots, made.views, made.clock)
        self.customers = CustomerOperations(*parts).by("ann", "asked for")
        self.transfer = TransferOperations(*parts)
        self.tokens = TokenOperations(TokenStore(made.store, made.keys), made.clock, on_store=True)
        hooks = WebhookStore(made.store, made.keys)
        self.webhooks = WebhookOperations(hooks, Networks(), made.clock)
        self._ledger = LedgerOperations(LedgerStreams(made.store, made.keys))

    def read(self, **wanted: Any) -> list[LedgerEntry]:
        return self._ledger.read(WantedEntries(**wanted)).entries

    def changes(self, **wanted: Any) -> list[tuple[str, str, str, tuple[str, ...]]]:
        found = self.read(verb="change", **wanted)
        return [(each.actor, each.call, each.customer_id, each.changes) for each in found]


@pytest.fixture
def admin(store_url: str, prefix: str) -> Iterator[Admin]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield Admin(made)


def test_every_write_of_a_customer_is_an_entry_with_what_it_changed(admin: Admin) -> None:
    customers = admin.customers
    customers.provision("acme", Provision("free", profile=Profile("Acme")))
    customers.change_subscription("acme", Change(plan_id="pro"))
    customers.set_override("acme", NewEntitlement("calls", {"limit": 7}))
    customers.remove_override("acme", "calls", "")
    admin.bench.consume("acme", "calls")
    customers.update("acme", Profile("Acme Inc"))
    admin.transfer.import_rows([b'{"customer_id": "globex", "plan": "pro"}'], actor="bob")

    found = admin.read(customer_id="acme", with_changes=True)
    verbs = ["change"] * 4 + ["consume", "change"]
    assert verbs == [each.verb for each in found]
    assert ["asked for"] * 5 == [each.comment for each in found if each.verb == "change"]
    assert customers.get("acme").epoch == found[-1].epoch
    changes = admin.changes(customer_id="acme")
    calls = ["ProvisionCustomer", "ChangeSubscription", "SetOverride", "RemoveOverride"]
    assert [*calls, "UpdateCustomer"] == [call for _, call, _, _ in changes]
    assert ("name: 'Acme Inc' (was 'Acme')",) == changes[-1][3]
    assert [("bob", "ImportCustomers")] == [
        each[:2] for each in admin.changes(customer_id="globex")
    ]
    assert ["consume"] == [each.verb for each in admin.read(customer_id="acme")]
    assert ["consume"] == [each.verb for each in admin.read(verb="consume")]


def test_a_write_that_is_refused_has_no_entry(admin: Admin) -> None:
    admin.customers.provision("acme", Provision("free"))
    before = admin.changes()

    with pytest.raises(QuotadError):
        admin.customers.provision("acme", Provision("gold"))
    with pytest.raises(QuotadError):
        admin.customers.update("acme", Profile("Other"), if_epoch=1)

    assert before == admin.changes()


def test_catalogs_that_came_into_force_are_entries_with_their_versions(admin: Admin) -> None:
    catalogs = admin.bench.catalogs
    catalog = parse([Source("plans.yaml", CATALOG.replace("50", "60"))])
    for call in ("PublishDraft", "RollbackCatalog"):  # the second time it is in force
        catalogs.publish(
            catalog.document, catalog.digest, actor="ann", published_by="ci", call=call
        )

    made, later = admin.read(verb="change")
    assert ("PublishCatalog", ("catalog: version 0 → 1",), 1) == (
        made.call,
        made.changes,
        made.catalog_version,
    )
    lines = ("catalog: version 1 → 2", "published by: ci")
    assert ("ann", "PublishDraft", lines) == (later.actor, later.call, later.changes)
    assert later.id.startswith("catalogs-")


def test_writes_of_tokens_are_entries_without_a_secret(admin: Admin) -> None:
    first = admin.tokens.create(WantedToken("root", TokenRole.ADMIN), "ops")
    second = admin.tokens.create(WantedToken("web", TokenRole.CONSUME, ("acme*",)), "ann")
    third = admin.tokens.rotate(second.record.token_id, 0, "ann")
    admin.tokens.revoke(third.record.token_id, "bob")

    changes = [each for each in admin.changes() if each[1].endswith("Token")]
    assert [
        ("ops", "CreateToken"),
        ("ann", "CreateToken"),
        ("ann", "RotateToken"),
        ("bob", "RevokeToken"),
    ] == [each[:2] for each in changes]
    made = f"made: {second.record.token_id} 'web', consume, for acme*"
    assert (made,) == changes[1][3]
    kept = raw(admin.bench.store).xrange(admin.bench.keys.token_ledger)
    for secret in (first.token, second.token, third.token):
        assert secret.rpartition("_")[2].encode() not in repr(kept).encode()


def test_writes_of_webhooks_are_entries_without_a_secret(admin: Admin) -> None:
    wanted = WantedEndpoint("https://hooks.example.com/T0/hidden?key=hidden", ["customer.changed"])
    first = admin.webhooks.add(wanted, "ops")
    name = first.endpoint.webhook_id
    second = admin.webhooks.rotate(name, 0, "ann")
    admin.webhooks.replay(name, 1_900_000_000_000, "bob")
    admin.webhooks.remove(name, "eve")
    with pytest.raises(NotFound):
        admin.webhooks.remove(name, "eve")

    it = f"{name} to https://hooks.example.com"
    assert [
        ("ops", "AddWebhook", (f"made: {it}, customer.changed",)),
        (
            "ann",
            "RotateWebhook",
            (f"another secret: {it}", "the one before signs until 2031-01-15T12:00:00Z"),
        ),
        ("bob", "ReplayWebhook", (f"to be sent again: {it}, since 2030-03-17T17:46:40Z",)),
        ("eve", "RemoveWebhook", (f"removed: {it}",)),
    ] == [(each[0], each[1], each[3]) for each in admin.changes() if each[1].endswith("Webhook")]
    kept = raw(admin.bench.store).xrange(admin.bench.keys.webhook_ledger)
    for secret in (first.secret, second.secret, "hidden"):
        assert secret.encode() not in repr(kept).encode()


def test_an_erasure_is_an_entry_that_names_the_customer_by_its_pseudonym(admin: Admin) -> None:
    made = admin.bench
    admin.customers.provision("acme", Provision("free", profile=Profile("Acme")))
    erasures = Erasures(made.store, made.keys, made.customers, made.nearby)
    erased = erasures.erase("acme", [], "support")

    found = [each for each in admin.changes() if each[2]]
    assert [
        ("ann", "ProvisionCustomer", erased.pseudonym, ()),
        ("support", "EraseCustomer", erased.pseudonym, ()),
    ] == found
    assert [""] * 3 == [each.comment for each in admin.read(verb="change")]


def test_a_lost_stream_of_another_type_makes_way_for_the_entry(admin: Admin) -> None:
    made = admin.bench
    for name in (made.keys.token_ledger, ledger_key(made.keys.customer("acme"))):
        raw(made.store).set(name, "damaged")

    admin.customers.provision("acme", Provision("free"))
    admin.tokens.create(WantedToken("root", TokenRole.ADMIN), "ops")

    calls = {call for _, call, _, _ in admin.changes()}
    assert {"PublishCatalog", "ProvisionCustomer", "CreateToken"} == calls


def test_verbs_are_known_by_name(admin: Admin) -> None:
    with pytest.raises(InvalidRequest, match="there is no 'changed'; did you mean 'change'"):
        admin.read(verb="changed")
