"""Fields of a form as Stripe nests them: `payload[value]` is `value` of `payload`."""

import re
from collections.abc import Iterable
from typing import Any

_NAME = re.compile(r"(\w+)((?:\[\w*\])*)")


class BadField(Exception):
    """A field that is named in no way that is known."""


def read_fields(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nest fields.

    Raises:
        BadField: a name is none.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        if match is None:
            raise BadField(f"Invalid parameter: {name}")
        path = [match[1], *re.findall(r"\[(\w*)\]", match[2])]
        place = found
        for each in path[:-1]:
            place = place.setdefault(each, {})
            if not isinstance(place, dict):
                raise BadField(f"Invalid parameter: {name}")
        place[path[-1]] = value
    return found
