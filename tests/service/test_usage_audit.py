"""`quotad usage audit` and its call, over both fronts and from both clients."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from quotad.cli.app import app
from quotad.client.admin import AdminClient, AsyncAdminClient
from tests.raw import raw
from tests.running import Running

PLANS = """
version: 1
default_plan: free
features:
  mails: {type: metered, unit: mail, ledger: true}
  tokens: {type: metered, decimals: 2, ledger: true}
plans:
  free:
    entitlements:
      mails: {limit: 40, per: month}
      tokens: {limit: 4000}
"""


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


@pytest.fixture
def admin(quotad: Running) -> Iterator[AdminClient]:
    with AdminClient(quotad.server.address) as client:
        yield client


def lose(quotad: Running, customer: str, feature_id: str) -> None:
    (name,) = raw(quotad.store).keys(f"{quotad.config.prefix}:*:u:{customer}:*:{feature_id}:*")
    raw(quotad.store).delete(name)


def test_counters_that_differ_are_answered_and_those_that_agree_counted(
    quotad: Running, admin: AdminClient, customer: str
) -> None:
    quotad.consume(customer, "mails", quantity=7)
    quotad.consume(customer, "tokens", quantity=250)
    assert ((), 2) == (admin.audit_usage(customer).counters, admin.audit_usage(customer).agreed)
    lose(quotad, customer, "tokens")

    page = admin.audit_usage()

    (lost,) = [each for each in page.counters if each.customer_id == customer]
    assert ("tokens", "", 0, 250, -250, "", 2) == (
        lost.feature_id,
        lost.per,
        lost.counted,
        lost.by_ledger,
        lost.difference,
        lost.doubt,
        lost.decimals,
    )

    async def again() -> int:
        async with AsyncAdminClient(quotad.server.address) as client:
            return (await client.audit_usage(customer, feature_id="mails")).agreed

    assert 1 == asyncio.run(again())


def test_the_command_ends_with_1_where_counters_differ(quotad: Running, customer: str) -> None:
    quotad.consume(customer, "mails", quantity=7)
    quotad.consume(customer, "tokens", quantity=250)
    asked = ["usage", "audit", customer, "--server", quotad.server.address]

    agreed = CliRunner().invoke(app, asked)
    lose(quotad, customer, "tokens")
    differing = CliRunner().invoke(app, asked)
    as_json = CliRunner().invoke(app, [*asked, "--json"])

    assert (0, "no counter differs; 2 as the ledger says\n") == (agreed.exit_code, agreed.stdout)
    head, row, end = differing.stdout.splitlines()
    assert ["counted", "by", "the", "ledger", "difference"] == head.split()[-5:]
    assert [customer, "tokens", "0.00", "2.50", "-2.50"] == row.split()
    assert (1, "1 counter differs; 1 as the ledger says") == (differing.exit_code, end)
    found = json.loads(as_json.stdout)
    assert (1, 1, -250) == (found["drifted"], found["agreed"], found["counters"][0]["difference"])


def test_a_rebuild_shows_what_it_would_write_and_writes_it_when_it_is_applied(
    quotad: Running, admin: AdminClient, customer: str
) -> None:
    quotad.consume(customer, "tokens", quantity=250)
    lose(quotad, customer, "tokens")
    asked = ["usage", "rebuild", customer, "--server", quotad.server.address]

    dry = CliRunner().invoke(app, asked)
    assert 1 == len(admin.rebuild_usage(customer).counters)
    done = CliRunner().invoke(app, [*asked, "--apply", "--reason", "lost", "--actor", "ann"])

    assert (0, "nothing was written; --apply sets them to what the ledger says") == (
        dry.exit_code,
        dry.stdout.splitlines()[-1],
    )
    assert (0, "1 counter rebuilt") == (done.exit_code, done.stdout.splitlines()[-1])
    (correction,) = admin.corrections(customer)
    assert ("rebuild", "tokens", 250, "lost", "ann") == (
        correction.verb,
        correction.feature_id,
        correction.change,
        correction.reason,
        correction.actor,
    )
    assert [250] == [each.used for each in admin.usage(customer)]
    assert 1 == admin.audit_usage(customer).agreed
    assert [("consume", 250), ("rebuild", 0)] == [
        (each.verb, each.quantity) for each in admin.ledger_page(customer).entries
    ]
    lose(quotad, customer, "tokens")

    async def again() -> bool:
        async with AsyncAdminClient(quotad.server.address) as client:
            return (await client.rebuild_usage(customer, apply=True)).counters[0].rebuilt

    assert asyncio.run(again())


def test_a_wrong_request_is_refused_by_its_field(quotad: Running) -> None:
    def refused(*words: str) -> str:
        answer = CliRunner().invoke(
            app, ["usage", "audit", *words, "--server", quotad.server.address]
        )
        assert 2 == answer.exit_code
        return answer.stderr

    assert "customer_id" in refused("x" * 300)
    assert "unknown feature 'mail', did you mean 'mails'?" in refused("--feature", "mail")
