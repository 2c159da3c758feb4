"""Where a client connects to, and with which channel arguments."""

import re
from collections.abc import Sequence
from typing import Any

_TARGET = re.compile(r"(unix|unix-abstract|dns|ipv4|ipv6|vsock|xds):.+")
"""How gRPC names what is no HOST:PORT."""
_HOST = r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]]+)"
_HOST_PORT = re.compile(_HOST + r"(:(\d{1,5}))?")

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    # grpc waits a second after a refused connection and fails every call meanwhile; a server that
    # restarts is back sooner.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # How long one attempt to connect may take, despite its name: a busy machine needs its time.
    ("grpc.min_reconnect_backoff_ms", 2000),
    # Channels to one address share a connection otherwise. A server may close it when many calls
    # are given up at once, and a client must not lose calls to what others of its process do.
    ("grpc.use_local_subchannel_pool", 1),
    # A quota server is next door: an http_proxy in the environment is not meant for it.
    ("grpc.enable_http_proxy", 0),
    # A catalog may be larger than grpc's own 4 MiB.
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
)


def checked(address: object, *, secure: bool = False) -> str:
    """The address, if a channel can be made for it.

    Args:
        address: as a caller gave it.
        secure: the channel has TLS, whose port is 443 without another.

    Raises:
        ValueError: it names no server.
    """
    if isinstance(address, str):
        match = _HOST_PORT.fullmatch(address)
        port = match[3] if match else None
        if _TARGET.fullmatch(address) or (
            match and (secure if port is None else 0 < int(port) < 65_536)
        ):
            return address
    raise ValueError(f"must be HOST:PORT, such as 127.0.0.1:50051, not {address!r}")


def channel_options(
    address: str, extra: Sequence[tuple[str, Any]], secure: bool
) -> list[tuple[str, Any]]:
    """The client's channel arguments for an address, with the caller's on top.

    Args:
        address: what the channel is made for; `ipv4:` and `ipv6:` may list several.
        extra: the caller's.
        secure: the channel has TLS, where the authority is the name that certificates are checked
            against, which only the caller can choose.

    Raises:
        ValueError: the address names no server.
    """
    try:
        checked(address, secure=secure)
    except ValueError as error:
        raise ValueError(f"address: {error}") from error
    options = {**dict(CHANNEL_OPTIONS), **dict(extra)}
    if address.startswith(("unix:", "unix-abstract:")):
        # grpc sends the path, percent-encoded, which HTTP has no such authority for.
        options.setdefault("grpc.default_authority", "localhost")
    scheme, _, listed = address.partition(":")
    if scheme in ("ipv4", "ipv6") and "," in listed and not secure:
        # grpc sends the whole list as `:authority`, and an authority has one port only.
        options.setdefault("grpc.default_authority", listed.lstrip("/").split(",")[0])
    return list(options.items())
