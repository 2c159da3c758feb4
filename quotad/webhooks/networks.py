"""Where webhooks may go: addresses of the public internet, and networks that an operator allows.

A name is looked up when a connection is made, and the address that was checked is the one that is
connected to, so that a name whose address changes in between reaches nothing else.
"""

import socket
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from quotad.errors import ConfigError

_NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses of IPv4 as gateways between the two write them, in the last 32 bits (RFC 6052)."""
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
"""The same of gateways of a network's own (RFC 8215)."""
_COMPATIBLE = IPv6Network("::/96")
"""The same without a gateway, as long given up (RFC 4291)."""

_Address = IPv4Address | IPv6Address


class NotAllowed(OSError):
    """A webhook may not go there."""


class Networks:
    """Which addresses are allowed.

    Args:
        allowed: networks beside the public internet, as `10.0.0.0/8`, and addresses.
        setting: that names them.

    Raises:
        ConfigError: one is none.
    """

    def __init__(self, allowed: Iterable[str] = (), setting: str = "webhook_networks") -> None:
        self._allowed = [_network(text, setting) for text in allowed]

    def is_own(self, address: _Address) -> bool:
        """Whether an address is of a network that an operator has allowed."""
        return all(any(each in one for one in self._allowed) for each in _meant(address))

    def allows(self, address: _Address) -> bool:
        """Whether webhooks may go to an address."""
        return self.is_own(address) or all(map(_is_public, _meant(address)))

    def connect(self, host: str, port: int, timeout_s: float, encrypted: bool) -> socket.socket:
        """Connect to the first address of a host that is allowed and answers.

        Args:
            host: name or address.
            port: of it.
            timeout_s: for each of its addresses.
            encrypted: else only to networks that an operator has allowed.

        Raises:
            NotAllowed: it has no address that is allowed.
            OSError: it has none, or no allowed one can be connected to.
        """
        failed: OSError | None = None
        for family, kind, protocol, _, target in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            address = ip_address(str(target[0]).partition("%")[0])
            if not (self.allows(address) if encrypted else self.is_own(address)):
                continue
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(timeout_s)
                opened.connect(target)
            except OSError as error:
                opened.close()
                failed = error
            else:
                return opened
        if failed is not None:
            raise failed
        if not encrypted:
            raise NotAllowed(
                f"{host} is in no network that may be reached by http; use https, or "
                "webhook_networks"
            )
        raise NotAllowed(f"{host} is in no network that webhooks may reach; see webhook_networks")


def _meant(address: _Address) -> list[_Address]:
    """What may be reached by an address: itself, or those of IPv4 that are written in it."""
    if isinstance(address, IPv4Address):
        return [address]
    inner: list[_Address | None] = [address.ipv4_mapped, address.sixtofour]
    inner += address.teredo or ()
    if address in _NAT64 or address in _NAT64_LOCAL or address in _COMPATIBLE:
        inner.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [each for each in inner if each is not None] or [address]


def _is_public(address: _Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


def _network(text: str, setting: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(
            f"{setting}: {text!r} is not an address or a network such as 10.0.0.0/8"
        ) from None
