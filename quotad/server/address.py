"""The address a server listens on: whether it is free, and keeping it while workers change."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quotad.config import split_listen, unix_path
from quotad.errors import ConfigError


def check_free(listen: str) -> None:
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
            raise _refused(listen, error) from error
        return
    host, port = split_listen(listen)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise _refused(listen, error) from error


@contextmanager
def reserved(listen: str) -> Iterator[str]:
    """Keep an address bound, without listening, while workers come and go.

    Of a Unix socket, only the end is taken care of: its file is removed.

    Gives the address with the port it really got. With SO_REUSEPORT alone, binding next to another
    server that set it too would succeed, so the address is first bound without.

    Raises:
        ConfigError: it is taken, or not one of this machine.
    """
    check_free(listen)
    path = unix_path(listen)
    if path is not None:
        try:
            yield listen
        finally:
            path.unlink(missing_ok=True)
        return
    host, port = split_listen(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as kept:
        try:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.bind((host, port))
        except OSError as error:
            raise _refused(listen, error) from error
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


def _refused(listen: str, error: OSError) -> ConfigError:
    return ConfigError(f"listen: cannot listen on {listen}: {error.strerror or error}")
