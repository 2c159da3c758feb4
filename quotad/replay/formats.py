"""Which formats of a log there are, by name, and those that a pattern describes."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

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
from quotad.replay.ledger_lines import LedgerLines
from quotad.replay.other_logs import Alb, Envoy, W3c
from quotad.replay.pattern import Pattern, PatternError

__all__ = ["NAMES", "Format", "LineError", "PatternError", "Wrapping", "format_of"]


class Format(msgspec.Struct, frozen=True):
    """How the lines of one log are written; one for each log, as it may remember lines."""

    parse: Callable[[bytes], Record]
    """Reads one line; raises LineError."""
    fields: tuple[str, ...] | None
    """The fields that every line has; None when the lines decide."""
    customer: str = ""
    """The template for the customer, where none is given; empty: one has to be."""
    feature: str = ""
    """For the feature, the same."""
    quantity: str = "1"
    """For the quantity."""
    resource: str = ""
    """The field with the resource, of lines that have one; empty: none has."""
    in_parts: bool = False
    """Whether quantities are in the smallest parts of features with decimals."""
    left_out: Mapping[str, int] = {}
    """Lines that were read and are no calls, by what they are, where that is worth a word."""


def _alb() -> Format:
    made = Alb()
    return Format(made.parse, made.fields)


def _envoy() -> Format:
    made = Envoy()
    return Format(made.parse, made.fields)


def _ledger() -> Format:
    made = LedgerLines()
    return Format(
        made.parse,
        None,
        customer="{customer_id}",
        feature="{feature_id}",
        quantity="{quantity}",
        resource="resource_id",
        in_parts=True,
        left_out=made.left_out,
    )


_NAMED: dict[str, Callable[[], Format]] = {
    "combined": lambda: Format(parse_combined, FIELDS),
    "common": lambda: Format(parse_common, FIELDS[:-2]),
    "vhost_combined": lambda: Format(parse_vhost_combined, VHOST_FIELDS),
    "jsonl": lambda: Format(parse_json, None),
    "alb": _alb,
    "envoy": _envoy,
    "w3c": lambda: Format(W3c().parse, None),
    "ledger": _ledger,
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
    return replace(found, parse=Unwrapper(wrapping, found.parse).parse, fields=fields)
