"""A store that answers and refuses writes, as one whose disk is full: logged once, and survived."""

import logging
import threading
from collections.abc import Iterator

import pytest

from quotad.clock import SyncedClock
from quotad.errors import StoreError, StoreUnavailable
from quotad.server import store_contact
from quotad.server.store_contact import first_contact
from quotad.store import KeySpace, Store
from quotad.store.health import Health

FULL = "MISCONF Errors writing to the AOF file: No space left on device"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    made = Store(store_url)
    yield made
    made.close()


@pytest.fixture
def health(store: Store) -> Health:
    return Health(store, SyncedClock())


def test_a_failure_that_comes_back_after_every_probe_is_logged_once_and_another_too(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    for text in (FULL, FULL, "OOM", FULL, "OOM"):
        assert health.probe()
        health.mark_down(StoreUnavailable(text))

    assert [FULL, "OOM"] == [message.partition(";")[0] for message in caplog.messages]
    assert not health.up


def test_after_a_recovery_the_same_failure_is_logged_again(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert health.probe()
        health.note_recovery()
        health.mark_down(StoreUnavailable(FULL))

    assert 2 == len(caplog.messages)


def test_a_sidecar_waits_for_a_store_that_refuses_writes(
    store: Store,
    health: Health,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = [StoreError(FULL), StoreError(FULL)]

    def check_layout(*_: object) -> None:
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(store_contact, "check_layout", check_layout)
    with caplog.at_level(logging.INFO):
        log = logging.getLogger("quotad.sidecar")
        assert first_contact(store, KeySpace(prefix), health, threading.Event(), log)

    assert 1 == sum("answering UNAVAILABLE" in message for message in caplog.messages)
