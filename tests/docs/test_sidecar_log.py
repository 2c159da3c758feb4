"""The log lines that the page of the sidecar shows are those that it writes."""

import logging

import pytest

from quotad.errors import StoreUnavailable
from quotad.store import Store
from tests.docs.pages import PATHS, blocks
from tests.unit.sidecar_fakes import FakeCatalogs, FakeSource, Seconds, maker, plan

[PAGE] = [page for page in PATHS if page.name == "sidecar.md"]


def test_the_log_of_the_page_is_that_of_a_sidecar(caplog: pytest.LogCaptureFixture) -> None:
    [shown] = [block.text for block in blocks(PAGE) if block.info == "text"]
    catalogs, seconds = FakeCatalogs(), Seconds()
    for limit in (98, 99, 100):
        catalogs.put(plan(limit))
    source = FakeSource(plan(100))
    sidecar = maker(catalogs, seconds)(source)
    sidecar.step()
    with caplog.at_level(logging.INFO, "quotad.sidecar"):
        source.give(plan(200))
        sidecar.step()
        source.give(plan(200) + "      api-cals: {limit: 1}\n")
        sidecar.step()
        source.give(plan(200))
        sidecar.step()
        catalogs.error = refused_by_the_store()
        for _ in range(3):
            seconds.now += 60
            sidecar.step()
        catalogs.error = None
        seconds.now += 60
        sidecar.step()

    assert shown.splitlines() == caplog.messages


def refused_by_the_store() -> StoreUnavailable:
    """What a store says that nobody listens for, as if it were elsewhere."""
    store = Store("redis://127.0.0.1:1", timeout_ms=5000)
    with pytest.raises(StoreUnavailable) as caught:
        store.time_ms()
    store.close()
    return StoreUnavailable(str(caught.value).replace("127.0.0.1:1", "db:6379"))
