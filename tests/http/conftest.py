"""An HTTP server for the tests of a module to share; every test has its own customers."""

import uuid
from collections.abc import Iterator

import pytest

from tests.http.serving import HttpRunning, http_running

CATALOG = """
version: 1
default_plan: free
features:
  calls:  {type: metered, unit: call}
  minute: {type: metered}
  builds: {type: metered}
  seats:  {type: metered, kind: gauge, unit: seat}
  export: {type: boolean}
  sso:    {type: boolean}
  upload: {type: config}
plans:
  free:
    entitlements:
      calls:  {limit: 5, per: 100 years}
      minute: {limit: 2, per: minute}
      builds:
        limits:
          - {limit: 4, per: 50 years}
          - {limit: 6, per: 100 years}
      seats:  {limit: 3}
      export: true
      upload: 25
"""


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[HttpRunning]:
    """A server with the catalog above, on whose default plan every customer is."""
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        yield made


@pytest.fixture
def customer() -> str:
    """A customer that no other test uses."""
    return f"c-{uuid.uuid4().hex[:12]}"
