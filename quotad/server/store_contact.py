"""The first contact of a process with its store: waited for, then its layout is checked."""

import logging
import threading

from quotad.backoff import pause_s
from quotad.errors import StoreError, StoreUnavailable
from quotad.store import KeySpace, Store, check_layout
from quotad.store.health import Health

BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 2.0


def first_contact(
    store: Store, keys: KeySpace, health: Health, stop: threading.Event, log: logging.Logger
) -> bool:
    """Wait for the store, and check that it is laid out as expected; False: stopped first.

    Raises:
        ConfigError: it is laid out in another way.
    """
    failures = 0
    while not stop.is_set():
        if health.probe():
            try:
                check_layout(store, keys)
            except StoreError as error:  # it may answer and refuse writes: its disk is full
                health.mark_down(StoreUnavailable(str(error)))
            else:
                return True
        if not failures:
            log.error("%s; trying again until it can be used", health.problem)
        stop.wait(pause_s(failures, BACKOFF_MIN_S, BACKOFF_MAX_S))
        failures += 1
    return False
