"""A customer is brought back from both clients and the command line."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from quotad.cli.app import app
from quotad.client import QuotaError
from quotad.client.admin import AdminClient, AsyncAdminClient
from tests.running import Running, running
from tests.service.command_line import words

PLANS = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
  pro: {entitlements: {calls: {limit: 50, per: month}}}
"""


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[Running]:
    with running(store_url, "t-rollbacks") as made:
        made.publish_and_wait(PLANS)
        yield made


async def test_both_clients_bring_a_customer_back(served: Running, customer: str) -> None:
    with AdminClient(served.server.address, timeout=20) as admin:
        admin.provision(customer, "free")
        first = admin.provision(customer, "pro").epoch
        second = admin.update_customer(customer, name="New").epoch
        assert [(second, True), (first, True)] == [
            (each.epoch, each.undoable) for each in admin.changes(customer)[:2]
        ]
        with pytest.raises(QuotaError, match="written again since") as refused:
            admin.rollback_customer(customer, first)
        assert "STALE_EPOCH" == refused.value.reason
        back = admin.rollback_customer(customer, first, if_epoch=second, comment="wrong customer")
        assert ("free", "") == (back.customer.subscriptions[0].plan_id, back.customer.name)
        assert [second, first] == [each.epoch for each in back.undone]
        assert "wrong customer" == admin.changes(customer)[0].comment
    async with AsyncAdminClient(served.server.address, timeout=20) as later:
        looked = await later.rollback_customer(customer, back.customer.epoch, dry_run=True)
        assert back.customer.epoch == looked.customer.epoch
        again = await later.rollback_customer(customer, back.customer.epoch)
        assert ("pro", "New") == (again.customer.subscriptions[0].plan_id, again.customer.name)
        assert looked.changes == again.changes


def test_the_command_shows_what_it_undoes(served: Running, customer: str) -> None:
    def quotad(*args: str) -> list[str]:
        env = {"QUOTAD_SERVER": served.server.address, "COLUMNS": "200"}
        return words(CliRunner().invoke(app, ["customers", *args], env=env))

    quotad("set", customer, "--plan", "free")
    quotad("override", customer, "calls", "{limit: 7}")
    quotad("set", customer, "--plan", "free", "--name", "New")
    listed = [line.rsplit(" ", 1)[-1] for line in quotad("changes", customer)[1:]]
    assert listed[0].isdecimal(), quotad("changes", customer)

    assert ["name removed (was 'New')"] == quotad("rollback", customer, "--dry-run")
    both = quotad("rollback", customer, listed[1], "--dry-run")
    assert [
        "override of calls removed",
        "name removed (was 'New')",
        f"2 writes would be undone; all of them: --if-epoch {listed[0]}",
    ] == both
    done = quotad("rollback", customer, listed[1], "--if-epoch", listed[0])
    assert ["override of calls removed", "name removed (was 'New')"] == done[:2]
    assert f"{customer} active" in done
