"""`quotad serve`: one worker in this process, or several that share the address."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import msgspec

from quotad.config import Config, child_environ
from quotad.errors import ConfigError, StoreError
from quotad.server.address import reserved
from quotad.server.descriptors import set_limit, warn_if_few
from quotad.server.server import Server
from quotad.server.signals import on_stop
from quotad.server.worker import EXIT_WRONG_SETTING
from quotad.store import KeySpace, Store, check_layout

_log = logging.getLogger("quotad.server")

POLL_S = 0.2
RESTART_BACKOFF_S = 1.0


def run_serve(config: Config) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigError: the address is taken, or the store can never be used with these settings.
    """
    warn_if_few(set_limit(config.max_connections), config.max_connections)
    if config.workers > 1:
        _check_store(config)
        with reserved(config.listen) as listen:
            Workers(msgspec.structs.replace(config, listen=listen)).run()
        return
    server = Server(config)
    on_stop(server.interrupt)
    with server:
        server.wait()


def _check_store(config: Config) -> None:
    """Say once, and not by every worker, that the store is laid out in another way.

    Raises:
        ConfigError: it is.
    """
    store = Store(config.redis_url, config.store_timeout_ms)
    try:
        with suppress(StoreError):  # the workers wait for it
            check_layout(store, KeySpace(config.prefix, config.shards))
    finally:
        store.close()


class Workers:
    """Starts worker processes, restarts those that die, stops them all.

    Args:
        config: the settings; the port in `listen` is not 0.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stop = threading.Event()
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self) -> None:
        """Keep them running until SIGTERM or Ctrl-C.

        Raises:
            ConfigError: a worker found a setting that can never work; it has said which.
        """
        on_stop(self._stop.set)
        _log.info("starting %d workers on %s", self._config.workers, self._config.listen)
        try:
            self._processes = [self._spawn() for _ in range(self._config.workers)]
            while not self._stop.wait(POLL_S):
                for i, process in enumerate(self._processes):
                    if process.poll() is not None:
                        self._processes[i] = self._replace(process)
        finally:
            self._stop_all()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "quotad.server.worker", str(os.getpid())],
            env=child_environ(msgspec.structs.replace(self._config, workers=1)),
        )

    def _replace(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        if process.returncode == EXIT_WRONG_SETTING:
            raise ConfigError("a worker could not start; its message is above")
        _log.error("worker %d ended with %d; starting another", process.pid, process.returncode)
        self._stop.wait(RESTART_BACKOFF_S)
        return self._spawn()

    def _stop_all(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._config.drain_timeout_ms / 1000 + 1
        for process in self._processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
