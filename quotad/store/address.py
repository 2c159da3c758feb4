"""Where a store is. The URL's text is read once, here; what is made of it shows no secret.

Nothing of a URL that cannot be read is repeated in the message: any part of it may be the password.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from quotad.errors import ConfigError

PORT_DEFAULT = 6379

EXPECTED = (
    "redis_url: cannot be read; expected redis://[USER:PASSWORD@]HOST[:PORT][/DB], the same with"
    " rediss://, or unix://[USER:PASSWORD@]/PATH[?db=DB], with every character of user and"
    " password but letters, digits and -._~ percent-encoded (@ is %40, / is %2F)"
)

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]")

_ANYWHERE = ("db", "username", "password", "client_name")
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
        url: `redis://`, `rediss://` (TLS) or `unix://`.

    Raises:
        ConfigError: it is not such a URL.
    """

    __slots__ = ("_credentials", "_text", "client_name", "database", "host", "path", "port", "tls")

    def __init__(self, url: str) -> None:
        parts, options = _split(url)
        self.host = ""
        """Name or IP address; empty: a unix socket."""
        self.port = 0
        self.path = ""
        """Of a unix socket."""
        self.tls: Mapping[str, str] | None = None
        """Options that start with `ssl_`; None: no TLS."""
        self.client_name = options.get("client_name")
        user, password = _credentials(parts)
        self._credentials = (options.get("username", user), options.get("password", password))
        database = options.get("db", "")
        if parts.scheme == "unix":
            if parts.netloc.rpartition("@")[2] or not parts.path.startswith("/"):
                raise ConfigError(EXPECTED)
            self.path = unquote(parts.path)
            self._text = f"unix://{self.path}"
        else:
            self.host, self.port = _host_and_port(parts)
            database = database or parts.path.strip("/")
            shown = f"[{self.host}]" if ":" in self.host else self.host
            self._text = f"{parts.scheme}://{shown}:{self.port}"
        if database and not re.fullmatch(r"[0-9]{1,9}", database):
            raise ConfigError(EXPECTED)
        self.database = int(database or 0)
        if self.database:
            self._text += f"?db={database}" if self.path else f"/{self.database}"
        if parts.scheme == "rediss":
            self.tls = {name: text for name, text in options.items() if name in _TLS}

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<StoreAddress {self._text}>"

    def credentials(self) -> tuple[str, str]:
        """User and password for signing in; empty: none."""
        return self._credentials

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


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    """The parts of a URL and its options, checked for what a mistyped one would look like."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ConfigError(EXPECTED) from None
    # A password with a character that ends a part of the URL leaves an @ or a # behind it.
    odd = "@" in parts.path or "#" in url
    if odd or not url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError(EXPECTED)
    known = _ANYWHERE + (_TLS if parts.scheme == "rediss" else ())
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


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    text = parts.netloc.rpartition("@")[2]
    host, colon, port = text, "", ""
    if not text.endswith("]") and ":" in text:
        host, colon, port = text.rpartition(":")
    if not text and parts.netloc == "" and not parts.path.strip("/"):
        return "localhost", PORT_DEFAULT
    if not _HOST.fullmatch(host) or (colon and not re.fullmatch(r"[0-9]{1,5}", port)):
        raise ConfigError(EXPECTED)
    number = int(port or PORT_DEFAULT)
    if not 0 < number < 65536:
        raise ConfigError(EXPECTED)
    return host.strip("[]"), number
