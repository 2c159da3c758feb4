"""`quotad explain --at`: what was decided by then, on what, and what was different by then."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from quotad.cli.app import app
from quotad.client import Client
from quotad.client.admin import AdminClient
from tests.running import Running

PLANS = """
version: 1
default_plan: free
features:
  mails: {type: metered, ledger: all}
plans:
  free:
    entitlements:
      mails: {limit: 10, per: month}
"""


@pytest.fixture
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


def explain(quotad: Running, customer: str, *words: str) -> tuple[int, str]:
    asked = ["explain", customer, "mails", "--at", "0s", "--server", quotad.server.address]
    answer = CliRunner().invoke(app, [*asked, *words])
    return answer.exit_code, answer.stdout


def test_it_is_explained_by_what_was_in_force_and_what_came_since_is_apart(
    quotad: Running, customer: str
) -> None:
    with AdminClient(quotad.server.address) as admin, Client(quotad.server.address) as client:
        admin.provision(customer, "free")
        admin.set_override(customer, "mails", {"limit": 5, "per": "month"})
        admin.update_customer(customer, name="ACME")
        client.consume(customer, "mails", 4)
        client.consume(customer, "mails", 3)
        version = admin.catalog().version.version
        decided_ms = quotad.store.time_ms()
        while quotad.store.time_ms() <= decided_ms:  # a write of that millisecond came before it
            pass
        admin.set_override(customer, "mails", {"limit": 50, "per": "month"})
        admin.update_customer(customer, name="ACME Inc.")
        quotad.publish(PLANS.replace("limit: 10", "limit: 20"), comment="more for all")
        client.set_usage(customer, "mails", 1)
        admin.rebuild_usage(customer, apply=True)

    code, text = explain(quotad, customer)
    _, raw = explain(quotad, customer, "--json")

    assert 1 == code  # denied, then
    lines = [line.split(None, 1) for line in text.splitlines()]
    assert ["denied", "LIMIT_EXCEEDED"] == lines[0]
    told: dict[str, list[str]] = {}
    for line in text.splitlines()[1:]:
        told.setdefault(line[2:13].strip(), []).append(line[13:])
    assert ["3"] == [each.strip() for each in told["consume"]]
    assert ["5"] == [each.strip() for each in told["limit"]]
    (catalog,) = told["catalog"]
    assert f"version {version}, published" in catalog
    named, given = told["customer"]
    assert "name: 'ACME'" in named
    assert 'override of mails: {"limits":[{"limit":5,"per":"month"}]}' in given
    published, later = told["since then"]
    assert f"version {version + 1}, published" in published
    assert published.endswith("more for all")
    assert 'override of mails: {"limits":[{"limit":50,"per":"month"}]}' in later
    found: dict[str, Any] = json.loads(raw)
    assert "consume" == found["entry"]["verb"]
    assert [version + 1] == [each["version"] for each in found["later_catalogs"]]
    assert 1 == len(found["later_changes"])
    assert found["given"]["changes"][0].startswith("override of mails")


def test_what_settles_and_corrects_is_no_decision(quotad: Running, customer: str) -> None:
    with Client(quotad.server.address) as client:
        held = client.reserve(customer, "mails", 5, reservation_id=f"{customer}-h")
        assert held.allowed
        client.commit(customer, f"{customer}-h", 2)
        client.set_usage(customer, "mails", 9)

    code, text = explain(quotad, customer)

    assert 0 == code
    assert text.splitlines()[2].split() == ["reserve", "5"]
