"""An engine with a ledger, and exports of it, on a store of its own for each test."""

from collections.abc import Iterator

import pytest

from quotad.export import part, sending, stripe_account
from tests.deciding import bench
from tests.export.billed import Billed, billed_by
from tests.export.exported import Exported

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered, ledger: all}
  mails: {type: metered, ledger: true}
plans:
  free:
    entitlements:
      calls: {limit: 2, per: month}
      mails: {limit: 1000000, per: month}
"""


@pytest.fixture
def exported(store_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exported]:
    monkeypatch.setattr(part, "RENEW_S", -1.0)  # in every round
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield Exported(made)


@pytest.fixture
def billed(store_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Billed]:
    monkeypatch.setattr(part, "RENEW_S", -1.0)
    monkeypatch.setattr(sending, "FIRST_S", 0.0)  # no pauses
    monkeypatch.setattr(stripe_account, "MISSING_S", -1.0)
    with bench(store_url, prefix) as made, billed_by(made) as found:
        yield found
