"""An engine with a ledger, and exports of it, on a store of its own for each test."""

from collections.abc import Iterator

import pytest

from quotad.export import part
from tests.deciding import bench
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
