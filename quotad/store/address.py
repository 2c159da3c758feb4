"""Where a store is. The URL's text is read once, here; what is made of it shows no secret.

Nothing of a URL that cannot be read is repeated in the message: any part of it may be the password.
"""

import re
from collections.abc import Mapping
from copy import copy
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from quotad.errors import ConfigError

PORT_DEFAULT = 6379
SENTINEL_PORT_DEFAULT = 26379

EXPECTED = (
    "redis_url: cannot be read; expected redis://[USER:PASSWORD@]HOST[:PORT][/DB], the same with"
    " rediss://, unix://[USER:PASSWORD@]/PATH[?db=DB],"
    " redis+cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...], or"
    " redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/SERVICE[/DB], with every"
    " character of user and password but letters, digits and -._~ percent-encoded (@ is %40, / is"
    " %2F)"
)

_CLUSTER = ("redis+cluster", "rediss+cluster")
_SENTINEL = ("redis+sentinel", "rediss+sentinel")
_SCHEMES = ("redis", "rediss", "unix", *_CLUSTER, *_SENTINEL)

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]")

_ANYWHERE = ("db", "username", "password", "client_name")
_OF_SENTINELS = ("sentinel_username", "sentinel_password")
_TLS = (
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)

_TRUE = ("true", "yes", "1", "t", "y")
_FALSE = ("false", "no", "0", "f", "n")


def is_true(text: str) -> bool:
    """Whether the text of an option means yes."""
    return text.lower() in _TRUE


class StoreAddress:
    """A parsed URL; as text it is the address alone.

    Args:
        url: `redis://`, `unix://`, `redis+cluster://` or `redis+sentinel://`; with TLS `rediss`.

    Raises:
        ConfigError: it is not such a URL.
    """

    __slots__ = (
        "_credentials",
        "_text",
        "client_name",
        "database",
        "host",
        "path",
        "port",
        "seeds",
        "sentinel_credentials",
        "service",
        "tls",
    )

    def __init__(self, url: str) -> None:
        parts, options = _split(url)
        self.host = ""
        """Name or IP address; empty: a unix socket."""
        self.port = 0
        self.path = ""
        """Of a unix socket."""
        self.tls: Mapping[str, str] | None = None
        """Options that start with `ssl_`; None: no TLS."""
        self.seeds: tuple[tuple[str, int], ...] = ()
        """Hosts and ports of nodes of a cluster, or of Sentinels; empty: it is one server."""
        self.service = ""
        """What Sentinels call the primary; empty: they are not asked."""
        self.sentinel_credentials = (
            options.get("sentinel_username", ""),
            options.get("sentinel_password", ""),
        )
        """User and password for signing in to Sentinels; empty: none."""
        self.client_name = options.get("client_name")
        user, password = _credentials(parts)
        self._credentials = (options.get("username", user), options.get("password", password))
        database = options.get("db", "")
        if parts.scheme == "unix":
            if parts.netloc.rpartition("@")[2] or not parts.path.startswith("/"):
                raise ConfigError(EXPECTED)
            self.path = unquote(parts.path)
            self._text = f"unix://{self.path}"
        elif parts.scheme in _CLUSTER:
            hosts = parts.netloc.rpartition("@")[2].split(",")
            if parts.path.strip("/") or not all(hosts):
                raise ConfigError(EXPECTED)  # a cluster has no numbers of databases
            self.seeds = tuple(map(_host_and_port, hosts))
            self._text = f"{parts.scheme}://{','.join(map(_shown, self.seeds))}"
        elif parts.scheme in _SENTINEL:
            hosts = parts.netloc.rpartition("@")[2].split(",")
            service, _, number = parts.path.strip("/").partition("/")
            if not all(hosts) or not service:
                raise ConfigError(EXPECTED)
            database = database or number
            self.service = unquote(service)
            self.seeds = tuple(_host_and_port(host, SENTINEL_PORT_DEFAULT) for host in hosts)
            self._text = f"{parts.scheme}://{','.join(map(_shown, self.seeds))}/{service}"
        else:
            host = parts.netloc.rpartition("@")[2]
            alone = not parts.netloc and not parts.path.strip("/")
            self.host, self.port = _host_and_port("localhost" if alone else host)
            database = database or parts.path.strip("/")
            self._text = f"{parts.scheme}://{_shown((self.host, self.port))}"
        if database and not re.fullmatch(r"[0-9]{1,9}", database):
            raise ConfigError(EXPECTED)
        self.database = int(database or 0)
        if self.database:
            self._text += f"?db={database}" if self.path else f"/{self.database}"
        if parts.scheme.startswith("rediss"):
            self.tls = {name: text for name, text in options.items() if name in _TLS}

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<StoreAddress {self._text}>"

    def credentials(self) -> tuple[str, str]:
        """User and password for signing in; empty: none."""
        return self._credentials

    def sentinels(self) -> "list[StoreAddress]":
        """Each Sentinel."""
        found = []
        for host, port in self.seeds:
            sentinel = self.at(host, port)
            sentinel._credentials, sentinel.database = self.sentinel_credentials, 0
            found.append(sentinel)
        return found

    def at(self, host: str, port: int) -> "StoreAddress":
        """One server, with all that is the same for each."""
        node = copy(self)
        node.host, node.port, node.seeds, node.service = host, port, (), ""
        node._text = f"{'redis' if self.tls is None else 'rediss'}://{_shown((host, port))}"
        return node

    def commands(self) -> list[tuple[str | int, ...]]:
        """What a new connection starts with."""
        user, password = self._credentials
        commands: list[tuple[str | int, ...]] = []
        if user or password:
            commands.append(("AUTH", user, password) if user else ("AUTH", password))
        if self.client_name:
            commands.append(("CLIENT", "SETNAME", self.client_name))
        if self.database:
            commands.append(("SELECT", self.database))
        return commands


def _shown(where: tuple[str, int]) -> str:
    host, port = where
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parts(url: str) -> SplitResult:
    """As urlsplit, which reads no list of addresses in brackets."""
    scheme, found, rest = url.partition("://")
    if not found or scheme not in _CLUSTER + _SENTINEL:
        return urlsplit(url)
    rest, _, query = rest.partition("?")
    netloc, slash, path = rest.partition("/")
    return SplitResult(scheme, netloc, slash + path, query, "")


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    """The parts of a URL and its options, checked for what a mistyped one would look like."""
    try:
        parts = _parts(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ConfigError(EXPECTED) from None
    # A password with a character that ends a part of the URL leaves an @ or a # behind it.
    odd = "@" in parts.path or "#" in url
    if odd or not url.startswith(tuple(f"{scheme}://" for scheme in _SCHEMES)):
        raise ConfigError(EXPECTED)
    known = _ANYWHERE + (_TLS if parts.scheme.startswith("rediss") else ())
    if parts.scheme in _SENTINEL:
        known += _OF_SENTINELS
    if parts.scheme in _CLUSTER:
        known = tuple(name for name in known if name != "db")
    options = dict(pairs)
    if options.keys() - set(known) or len(options) != len(pairs):
        raise ConfigError(f"redis_url: an option behind the ? is not one of {', '.join(known)}")
    _check_tls(options)
    return parts, options


def _check_tls(options: dict[str, Any]) -> None:
    if options.get("ssl_cert_reqs", "required") not in ("none", "optional", "required"):
        raise ConfigError("redis_url: ssl_cert_reqs is not one of none, optional, required")
    if options.get("ssl_check_hostname", "yes").lower() not in _TRUE + _FALSE:
        raise ConfigError(
            f"redis_url: ssl_check_hostname is not one of {', '.join(_TRUE + _FALSE)}"
        )


def _credentials(parts: SplitResult) -> tuple[str, str]:
    userinfo, at, _ = parts.netloc.rpartition("@")
    if not at:
        return "", ""
    user, _, password = userinfo.partition(":")
    return unquote(user), unquote(password)


def _host_and_port(text: str, default: int = PORT_DEFAULT) -> tuple[str, int]:
    host, colon, port = text, "", ""
    if not text.endswith("]") and ":" in text:
        host, colon, port = text.rpartition(":")
    if not _HOST.fullmatch(host) or (colon and not re.fullmatch(r"[0-9]{1,5}", port)):
        raise ConfigError(EXPECTED)
    number = int(port or default)
    if not 0 < number < 65536:
        raise ConfigError(EXPECTED)
    return host.strip("[]"), number
