"""Which formats of a log there are, by name, and those that a pattern describes."""

from collections.abc import Callable

import msgspec

from quotad.nearest import did_you_mean
from quotad.replay.access_log import (
    FIELDS,
    VHOST_FIELDS,
    LineError,
    Record,
    parse_combined,
    parse_common,
    parse_json,
    parse_vhost_combined,
)
from quotad.replay.container import TIME, Unwrapper, Wrapping
from quotad.replay.other_logs import Alb, Envoy, W3c
from quotad.replay.pattern import Pattern, PatternError

__all__ = ["NAMES", "Format", "LineError", "PatternError", "Wrapping", "format_of"]


class Format(msgspec.Struct, frozen=True):
    """How the lines of one log are written; one for each log, as it may remember lines."""

    parse: Callable[[bytes], Record]
    """Reads one line; raises LineError."""
    fields: tuple[str, ...] | None
    """The fields that every line has; None when the lines decide."""


def _alb() -> Format:
    made = Alb()
    return Format(made.parse, made.fields)


def _envoy() -> Format:
    made = Envoy()
    return Format(made.parse, made.fields)


_NAMED: dict[str, Callable[[], Format]] = {
    "combined": lambda: Format(parse_combined, FIELDS),
    "common": lambda: Format(parse_common, FIELDS[:-2]),
    "vhost_combined": lambda: Format(parse_vhost_combined, VHOST_FIELDS),
    "jsonl": lambda: Format(parse_json, None),
    "alb": _alb,
    "envoy": _envoy,
    "w3c": lambda: Format(W3c().parse, None),
}

NAMES = tuple(_NAMED)


def format_of(text: str, wrapping: Wrapping | None = None) -> Format:
    """The format that a name or a pattern stands for.

    Args:
        text: one of NAMES, or a pattern.
        wrapping: the container runtime that the lines have gone through.

    Raises:
        PatternError: it is neither.
    """
    if text in _NAMED:
        found = _NAMED[text]()
    elif "{" in text or "$" in text:
        pattern = Pattern(text)
        found = Format(pattern.parse, pattern.fields)
    else:
        hint = did_you_mean(text, NAMES, f"these exist: {', '.join(NAMES)}")
        raise PatternError(f"there is no format {text!r}; {hint}")
    if wrapping is None:
        return found
    fields = None if found.fields is None else (*found.fields, TIME)
    return Format(Unwrapper(wrapping, found.parse).parse, fields)
