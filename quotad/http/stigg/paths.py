"""What a path of Stigg's is: which it is, who may call it, and what answers it."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from quotad.errors import NotFound
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.words import Shape
from quotad.tokens.roles import Right

Params = Mapping[str, str]

PathCall = Callable[[StiggApi, Params, Params, Any], object]
"""From parts of the path, of the query, and the body, if any, to `data`."""


_OTHERS = ("/api/v1/", "/api/v1-beta/", "/api/v2/", "/v1/p/", "/v1/paywall.json")


class NotSupported(NotFound):
    """Something of Stigg's that quotad has not."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: not supported; docs/stigg.md lists what is")


def is_stiggs(path: str) -> bool:
    """Whether Stigg's clients call a path, also where it is not supported."""
    return path.startswith(_OTHERS)


class StiggRoute(msgspec.Struct, frozen=True):
    """One path and what answers it."""

    method: str
    path: str
    call: PathCall
    right: Right = Right.READ


class StiggPage(msgspec.Struct, frozen=True):
    """A page of a list."""

    items: list[Shape]
    next: str | None = None
    """Of the page after it."""
