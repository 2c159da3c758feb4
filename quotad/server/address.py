"""The address a server listens on: whether it is free, and keeping it while workers change."""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from quotad.config import split_listen, unix_path
from quotad.errors import ConfigError

HTTP_DEV = "127.0.0.1:8080"
"""Where `quotad dev` serves HTTP unless it is set; the next free port where that is taken."""

OPS_DEV = "127.0.0.1:9464"
"""The same of what is for operators."""

DASHBOARD_DEV = "127.0.0.1:8081"
"""The same of the dashboard."""

DEV_TRIES = 100


def check_free(listen: str, setting: str = "listen") -> None:
    """Bind and close, so that a taken address is one clear line in the log.

    A Unix socket on which no process listens is removed.

    Raises:
        ConfigError: it is taken, or not one of this machine.
    """
    path = unix_path(listen)
    if path is not None:
        try:
            _check_path_free(path)
        except OSError as error:
            raise _refused(listen, error, setting) from error
        return
    host, port = split_listen(listen, setting)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise _refused(listen, error, setting) from error


def is_loopback(listen: str) -> bool:
    """Whether only this machine can call an address."""
    if unix_path(listen) is not None:
        return True
    host = split_listen(listen, "listen")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def reserved(listen: str, setting: str = "listen") -> Iterator[str]:
    """Keep an address bound, without listening, while workers come and go.

    Of a Unix socket, only the end is taken care of: its file is removed.

    Gives the address with the port it really got. With SO_REUSEPORT alone, binding next to another
    server that set it too would succeed, so the address is first bound without.

    Raises:
        ConfigError: it is taken, or not one of this machine.
    """
    check_free(listen, setting)
    path = unix_path(listen)
    if path is not None:
        try:
            yield listen
        finally:
            path.unlink(missing_ok=True)
        return
    host, port = split_listen(listen, setting)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as kept:
        try:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.bind((host, port))
        except OSError as error:
            raise _refused(listen, error, setting) from error
        yield f"{listen.rpartition(':')[0]}:{kept.getsockname()[1]}"


def _check_path_free(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        if path.is_socket():
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()  # left over from a process that was killed
            else:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        probe.bind(str(path))
    path.unlink()


@contextmanager
def reserved_http(listen: str) -> Iterator[str]:
    """Keep the address of the HTTP workers as `reserved` does; empty where there are none."""
    with _reserved_if_set(listen, "http", ("starlette", "uvicorn")) as kept:
        yield kept


@contextmanager
def reserved_dashboard(listen: str) -> Iterator[str]:
    """Keep the address of the dashboard in the same way."""
    with _reserved_if_set(listen, "dashboard", ("starlette", "uvicorn", "jinja2")) as kept:
        yield kept


@contextmanager
def reserved_dashboard_of_dev(listen: str) -> Iterator[str]:
    """Keep the address at which `quotad dev` serves the dashboard; as `reserved_http_of_dev`."""
    with reserved_dashboard(listen or first_free(DASHBOARD_DEV)) as kept:
        yield kept


@contextmanager
def _reserved_if_set(listen: str, setting: str, packages: Sequence[str]) -> Iterator[str]:
    """Keep an address, empty where there is none, for what needs packages of the same extra."""
    if not listen:
        yield ""
        return
    if missing := [name for name in packages if find_spec(name) is None]:
        needed = " and ".join(missing)
        raise ConfigError(f"{setting}: needs {needed}; pip install 'quotad[{setting}]'")
    with reserved(listen, setting) as kept:
        yield kept


@contextmanager
def reserved_http_of_dev(listen: str) -> Iterator[str]:
    """Keep the address at which `quotad dev` serves HTTP: the one that is set, else a free one.

    Raises:
        ConfigError: the one that is set is taken, or not one of this machine.
    """
    with reserved_http(listen or first_free(HTTP_DEV)) as kept:
        yield kept


def first_free(listen: str) -> str:
    """Return an address with the same or the next free port."""
    *most, last = from_port(listen)
    for each in most:
        with suppress(ConfigError):
            check_free(each)
            return each
    return last


def from_port(listen: str) -> Iterator[str]:
    """Give an address, then it with each of the next ports, at last with any."""
    host, first = split_listen(listen)
    yield from (f"{host}:{port}" for port in range(first, first + DEV_TRIES))
    yield f"{host}:0"


def _refused(listen: str, error: OSError, setting: str) -> ConfigError:
    return ConfigError(f"{setting}: cannot listen on {listen}: {error.strerror or error}")
