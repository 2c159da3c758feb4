"""`quotad dev`: a private Valkey, a worker and a sidecar in one foreground process tree."""

import fcntl
import hashlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import msgspec

from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.errors import ConfigError, StoreUnavailable
from quotad.server.address import (
    reserved,
    reserved_dashboard_of_dev,
    reserved_http_of_dev,
)
from quotad.server.descriptors import set_limit
from quotad.server.example import EXAMPLE, write_example, write_example_customers
from quotad.server.ledger_parts import ledger_kept
from quotad.server.ops import ops_port_of_dev
from quotad.server.signals import on_stop
from quotad.server.stripe_double import stripe_double
from quotad.server.workers import Workers
from quotad.sidecar import Sidecar, parse_source
from quotad.store import Catalogs, KeySpace, Store, check_layout
from quotad.valkey import private_valkey
from quotad.valkey_cluster import PrivateCluster

_THIS_MACHINE = ("127.0.0.0/8", "::1")
"""Where webhooks may be sent as well, to be tried out."""

_log = logging.getLogger("quotad.server")

SOCKET_PATH_MAX = 100
"""Longest path of a unix socket; the kernel's limit is 108 bytes."""

STOP_TIMEOUT_MS = 10_000


_KEEPS = {"appendonly": "yes"}

_UNUSED = ("redis_url", "source", "workers", "http_workers")
"""Settings that only `quotad serve` has a use for."""


class _OwnStore(Protocol):
    """What was started, one Valkey or several."""

    @property
    def ended(self) -> bool:
        """Whether it has ended, or one of them."""
        ...

    @property
    def log(self) -> Path:
        """What it has written."""
        ...


def run_dev(config: Config, on_ready: Callable[[Config], None]) -> None:
    """Run all of quotad on a directory of plan files until Ctrl-C.

    Without a setting and outside of a clone, that directory is a copy of the built-in example. What
    this process and Valkey write is for their owner alone.

    Args:
        config: the settings; `redis_url` is not used. With `cluster` nodes of a cluster are started
            in place of one Valkey.
        on_ready: called with the settings in force, addresses and path of the plan files among
            them, when the first call can be made.

    Raises:
        ConfigError: the catalog is not there, the data directory cannot be used, or the address
            is taken.
    """
    os.umask(0o077)
    set_limit(config.max_connections)
    built_in = config.catalog == Config().catalog and not Path(config.catalog).exists()
    if not built_in and not Path(config.catalog).exists():
        raise ConfigError(f"catalog: {config.catalog!r} does not exist; give a file or directory")
    _name_unused(config)
    with (
        _data_directory(Path(config.data)) as (data, socket_path),
        reserved(config.listen) as listen,  # before Valkey is started for nothing
        reserved_http_of_dev(config.http) as http,
        reserved_dashboard_of_dev(config.dashboard) as dashboard,
        ExitStack() as beside,
    ):
        if built_in:
            config = msgspec.structs.replace(config, catalog=_example(Path(config.data)))
        store: AbstractContextManager[_OwnStore]
        if config.cluster:
            sockets = socket_path.with_suffix("")
            store = made = PrivateCluster(data / "cluster", sockets, config.cluster, **_KEEPS)
            url = made.url
        else:
            store, url = (
                private_valkey(data, socket_path, **_KEEPS),
                f"unix://{quote(str(socket_path))}",
            )
        config = msgspec.structs.replace(
            config,
            redis_url=url,
            listen=listen,
            http=http,
            dashboard=dashboard,
            workers=1,
            http_workers=1,
            journal=config.journal or str(data / "journal"),
            webhook_networks=config.webhook_networks or _THIS_MACHINE,
            fallback_workers=config.fallback_workers or 2,  # one of gRPC, one of HTTP
        )
        if config.stripe_double:
            config = beside.enter_context(stripe_double(config))
        workers = Workers(config)
        on_stop(workers.interrupt)
        if not config.cluster:
            _end_leftover(socket_path, url)
        # The worker reads its code meanwhile. It serves after the sidecar's first look, finds a
        # catalog then and has nothing to warn of; it is stopped first.
        with (
            ops_port_of_dev(config.ops, workers) as ops,
            workers,
            store as valkey,
            _sidecar(config),
            closing(workers),
        ):
            told = msgspec.structs.replace(config, ops=ops)
            watch = _Watch(workers, valkey, lambda: on_ready(told))
            workers.run(watch.look)


def _name_unused(config: Config) -> None:
    """Log what is set, perhaps by an environment made for `quotad serve`, and has no effect."""
    unused = [name for name in _UNUSED if getattr(config, name) != getattr(Config(), name)]
    if unused:
        _log.warning(
            "not used by quotad dev, which starts a store, a worker and a sidecar of its own: %s",
            ", ".join(unused),
        )


def _example(data: Path) -> str:
    """Where the built-in example is, written there the first time."""
    try:
        return str(write_example(data / "catalog"))
    except OSError as error:
        raise ConfigError(f"data: cannot write the example catalog: {error.strerror}") from error


@contextmanager
def _data_directory(path: Path) -> Iterator[tuple[Path, Path]]:
    """Take the directory for this process alone; gives it and where Valkey's socket goes."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        data = path.resolve()
        lock = (data / "lock").open("w")
        _close_to_others(data)
    except OSError as error:
        raise ConfigError(f"data: cannot use {str(path)!r}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"data: {str(path)!r} is in use by another quotad dev; give another directory"
            ) from error
        yield data, _socket_path(data)


def _close_to_others(data: Path) -> None:
    """Take from others what an earlier release left readable for them."""
    for name in ("lock", "valkey.log", "dump.rdb", "appendonlydir"):
        path = data / name
        for each in (path, *path.glob("*")):
            if each.exists():
                each.chmod(each.stat().st_mode & ~0o077)


def _socket_path(data: Path) -> Path:
    path = data / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        return path
    # Always the same one for a directory, so that a Valkey left over is found.
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"quotad-{os.getuid()}-{digest}.sock"


def _end_leftover(socket_path: Path, url: str) -> None:
    """End a Valkey that outlived the quotad dev of an earlier release; the directory is ours."""
    if not socket_path.exists():
        return
    with closing(Store(url, STOP_TIMEOUT_MS)) as store:
        try:
            store.info()
        except StoreUnavailable:
            return  # only the file was left
        _log.warning("ending a Valkey that was left over on this data directory")
        with suppress(StoreUnavailable):  # that it has ended
            store.shut_down()
    deadline = time.monotonic() + STOP_TIMEOUT_MS / 1000
    while socket_path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


@contextmanager
def _sidecar(config: Config) -> Iterator[None]:
    store = Store(config.redis_url, config.store_timeout_ms)
    keys = KeySpace(config.prefix, config.shards)
    check_layout(store, keys)
    sidecar = Sidecar(
        [parse_source(config.catalog, settle_s=config.source_settle_ms / 1000)],
        Catalogs(store, keys, SyncedClock(), config.publish_wait_ms, ledger_kept(config)),
        # There is no other publisher here: what the files hold is the truth, also when it is old.
        publish_at_start=True,
        only_first=config.catalog_owner == "dashboard",
        # No one else depends on it: an edit that takes something out is not waited for.
        removal_delay_s=0,
        published_by="quotad dev",
    )
    stop = threading.Event()
    sidecar.step()
    if Path(config.catalog) in (Path(EXAMPLE), Path(config.data) / "catalog"):
        write_example_customers(store, keys)
    thread = threading.Thread(target=sidecar.run, args=(stop,), name="quotad-sidecar", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        store.close()


class _Watch:
    """Prints when the first call can be made; ends everything when Valkey ends."""

    def __init__(self, workers: Workers, valkey: _OwnStore, on_ready: Callable[[], None]) -> None:
        self._workers = workers
        self._valkey = valkey
        self._on_ready = on_ready
        self._said = False

    def look(self) -> None:
        """Look after them.

        Raises:
            ConfigError: Valkey has ended.
        """
        if self._workers.ready and not self._said:
            self._said = True
            self._on_ready()
        if self._valkey.ended:
            raise ConfigError(f"data: Valkey has ended; its log is {self._valkey.log}")
