"""Environments that share a store, such as staging and production: each has a prefix."""

import re
from collections.abc import Sequence

import msgspec

from quotad.errors import ConfigError

_NAME = re.compile(r"[\w.-]{1,40}")
_PREFIX = re.compile(r"[^:{}\s]{1,64}")


class Environment(msgspec.Struct, frozen=True):
    """One of them."""

    name: str
    prefix: str
    url: str = ""
    """Of its dashboard; empty: not known."""


def read_environments(texts: Sequence[str]) -> tuple[Environment, ...]:
    """Read the setting `environments`: `NAME=PREFIX` or `NAME=PREFIX=URL`, each.

    Raises:
        ConfigError: one of them is no such thing, or there are two of one name or prefix.
    """
    found: list[Environment] = []
    for text in texts:
        name, _, rest = text.partition("=")
        prefix, _, url = rest.partition("=")
        web = not url or url.startswith(("https://", "http://"))
        if not (_NAME.fullmatch(name) and _PREFIX.fullmatch(prefix) and web):
            raise ConfigError(f"environments: {text[:200]!r} is not NAME=PREFIX or NAME=PREFIX=URL")
        if any(name == each.name or prefix == each.prefix for each in found):
            raise ConfigError(f"environments: {text[:200]!r} has a name or a prefix of another")
        found.append(Environment(name, prefix, url))
    return tuple(found)
