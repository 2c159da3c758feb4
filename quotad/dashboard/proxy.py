"""People whom a trusted proxy has signed in: it names them in a header."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from quotad.errors import ConfigError
from quotad.history import fit
from quotad.http.problems import HttpRefusal
from quotad.tokens.access import host_of
from quotad.tokens.persons import Person


class TrustedProxy:
    """Reads who a request is of, from proxies that are trusted and from nobody else.

    Args:
        user_header: has the person's name; empty: no proxy is trusted.
        groups_header: has their groups, with commas between them; empty: none.
        addresses: of the proxies, or networks of them.

    Raises:
        ConfigError: an address is none, or there is a header and no address.
    """

    def __init__(self, user_header: str, groups_header: str, addresses: Iterable[str]) -> None:
        self._user, self._groups = user_header.lower(), groups_header.lower()
        self._networks = [_network(text) for text in addresses]
        if self._user and not self._networks:
            raise ConfigError(
                "trusted_proxies: is missing; with proxy_user_header, name the proxies' addresses"
            )

    def person(
        self, headers: Mapping[str, str], repeated: frozenset[str], peer: str | None
    ) -> Person | None:
        """Return who a request is of; None: no proxy says so.

        Args:
            headers: of the request.
            repeated: names of those that came more than once.
            peer: address that the request came from.

        Raises:
            HttpRefusal: a header came twice, so that one of them may be the browser's own.
        """
        if not self._user or not self._is_trusted(peer):
            return None
        for name in (self._user, self._groups):
            if name in repeated:
                raise HttpRefusal(400, "HEADER_REPEATED", f"{name}: came more than once")
        name = fit(headers.get(self._user, "").strip())
        if not name:
            return None
        groups = headers.get(self._groups, "") if self._groups else ""
        return Person(f"proxy:{name}", name, tuple(filter(None, map(str.strip, groups.split(",")))))

    def _is_trusted(self, peer: str | None) -> bool:
        try:
            address = ip_address(host_of(peer).strip("[]"))
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(
            f"trusted_proxies: {text!r} is not an address or a network such as 10.0.0.0/24"
        ) from None
