"""By which names a server may be called while there are no tokens."""

from functools import lru_cache
from ipaddress import ip_address

from quotad.http.problems import HttpRefusal


def check_host(host: str) -> None:
    """Refuse a name that a foreign page may have given this machine's address.

    Where every caller is let in, a page of evil.example could make that name mean 127.0.0.1, and
    would then be of the same origin to the browser. It cannot do so with an address or localhost.

    Args:
        host: as the header has it.

    Raises:
        HttpRefusal: it is such a name.
    """
    if not _is_local(host):
        raise HttpRefusal(
            403,
            "HOST_NOT_ALLOWED",
            f"without tokens only calls to addresses and localhost are answered, not to"
            f" {host[:100]!r}; make a token by `quotad tokens create --role admin`",
        )


@lru_cache(256)
def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if host.count(":") == 1 or "]" in host else host
    name = name.strip("[]") or host.strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
