"""Counters that were lost are brought back to what the ledger says, while decisions go on."""

from collections.abc import Iterator

import pytest

from quotad.feed.usage import UsageNotes
from quotad.held import Because
from quotad.ledger import LedgerKept, WantedEntries
from quotad.operations.rebuilding import UsageRebuilds
from quotad.operations.usage_audit import UsageAudit
from quotad.store import Retention
from quotad.store.rebuilding import RebuildScript
from tests.deciding import bench
from tests.integration.test_usage_audit import CATALOG, Audited, deciding, short
from tests.raw import raw
from tests.running import eventually

WHY = (Because("lost on Friday", "ann", "ops"), ("ops", "grpc"))


class Rebuilt(Audited):
    """The same, and what brings counters back."""

    @property
    def rebuilds(self) -> UsageRebuilds:
        made = self.made
        script = RebuildScript(made.store, made.keys)
        return UsageRebuilds(
            self.audits, script, Retention(), LedgerKept(), made.keys, UsageNotes()
        )

    def rebuild(self, customer_id: str = "", apply: bool = True) -> UsageAudit:
        return self.rebuilds.rebuild(customer_id, apply=WHY if apply else None)

    def values(self, *customers: str) -> dict[str, bytes]:
        names = [name for each in customers for name in self.keys_of(each)]
        return {name: raw(self.made.store).get(name) for name in names}


@pytest.fixture
def audited(store_url: str, prefix: str) -> Iterator[Rebuilt]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield Rebuilt(made)


def test_what_was_lost_comes_back_exactly_with_its_end_and_only_when_it_is_applied(
    audited: Rebuilt,
) -> None:
    store = raw(audited.made.store)
    for customer_id in ("acme", "globex"):
        audited.take_of_all(customer_id)
    before = audited.values("acme", "globex")
    ends = {name: store.pexpiretime(name) for name in before}
    store.delete(*audited.keys_of("acme"))
    (grown,) = audited.keys_of("globex", "calls")
    store.incrby(grown, 5)
    damaged = audited.values("acme", "globex")

    dry = audited.rebuild(apply=False)
    assert damaged == audited.values("acme", "globex")
    done = audited.rebuild()

    assert short(dry.drifted) == short(done.drifted)
    assert len(audited.keys_of("acme")) + 1 == sum(each.rebuilt for each in done.counters)
    assert before == audited.values("acme", "globex")
    assert ends == {name: store.pexpiretime(name) for name in before}
    assert [] == audited.audit().counters
    assert before == audited.values("acme", "globex")


def test_a_rebuild_is_in_the_ledger_and_among_the_corrections_and_in_no_sum(
    audited: Rebuilt,
) -> None:
    audited.take("acme", "builds", 7)
    raw(audited.made.store).delete(*audited.keys_of("acme"))

    audited.rebuild()

    page = audited.audits.ledger.read(WantedEntries("acme", newest_first=True))
    entries = [each for each in page.entries if each.verb == "rebuild"]
    assert [("builds", 0, {}, "ops", "grpc")] * 2 == [
        (each.feature_id, each.quantity, each.counters, each.actor, each.edge) for each in entries
    ]
    corrections = audited.audits.counters.corrections.latest("acme", 10)
    assert [("rebuild", "builds", 7, "lost on Friday", "ann", "ops")] * 2 == [
        (each.verb, each.feature_id, each.change, each.reason, each.actor, each.made_by)
        for each in corrections
    ]
    keys = {each.key for each in entries} | {each.key for each in corrections}
    assert {entries[0].key} == keys


def test_two_rebuilds_that_have_seen_the_same_loss_add_it_once(audited: Rebuilt) -> None:
    audited.take("acme", "calls", 40)
    raw(audited.made.store).delete(*audited.keys_of("acme"))
    rebuilds = audited.rebuilds
    seen = [audited.audit(), audited.audit()]

    done = [rebuilds._apply(each, *WHY) for each in seen]

    assert [True, False] == [each.counters[0].rebuilt for each in done]
    assert [b"40"] == list(audited.values("acme").values())


@pytest.mark.parametrize("loss", ["deleted", "restored"])
def test_counters_that_are_lost_under_load_come_back_exactly(audited: Rebuilt, loss: str) -> None:
    customers = [f"c{number}" for number in range(6)]
    store = raw(audited.made.store)
    with deciding(audited.made, customers, sets=False) as batches:
        eventually(lambda: min(batches), lambda least: least > 5, timeout_s=60)
        snapshot = audited.values(*customers)
        then = list(batches)
        eventually(lambda: batches, lambda now: all(map(int.__gt__, now, then)), timeout_s=60)
        for name, value in snapshot.items():
            if loss == "deleted":
                store.delete(name)
            else:
                store.set(name, value, keepttl=True)
        then = list(batches)
        first = audited.rebuild()
        eventually(lambda: batches, lambda now: all(map(int.__ge__, now, then)), timeout_s=60)
        assert [] == audited.audit().counters

    assert {"calls", "budget"} == {each.name.feature_id for each in first.drifted}
    assert all(each.rebuilt for each in first.counters)
    counted = {
        each: sum(
            entry.counters[ending]
            for entry in audited.audits.ledger.read(WantedEntries(each, size=1000)).entries
            for ending in entry.counters
            if ":calls:" in ending
        )
        for each in customers
    }
    assert counted == {each: int(store.get(*audited.keys_of(each, "calls"))) for each in customers}
