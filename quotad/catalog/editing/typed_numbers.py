"""Numbers as people type them into a form: 50000 or 50,000.

A comma that does not stand before three digits is refused, as it may be a decimal one: "1,5" is
not 15.
"""

import re
from typing import Any

from quotad.catalog.numbers import WrittenFloat
from quotad.errors import InvalidRequest

_WHOLE = r"(?:[0-9]{1,3}(?:[\s,_][0-9]{3})+|[0-9]{1,18})"
_NUMBER = re.compile(rf"{_WHOLE}(?:\.[0-9]{{1,18}})?")
_SIGNED = re.compile(rf"-?{_WHOLE}")
_BETWEEN = re.compile(r"[\s,_]")
_LONGEST = 32


def is_typed_number(text: str) -> bool:
    """Whether a text is a number, not below zero."""
    return len(text) <= _LONGEST and _NUMBER.fullmatch(text) is not None


def typed_number(name: str, text: str) -> Any:
    """Return a number of a form as a file has it.

    Raises:
        InvalidRequest: it is none.
    """
    if not is_typed_number(text):
        raise InvalidRequest(f"{name}: {text[:40]!r} is not a number such as 50,000")
    digits = _BETWEEN.sub("", text)
    return WrittenFloat(digits) if "." in digits else int(digits)


def typed_whole(name: str, text: str, *, below_zero: bool = False) -> int:
    """Return a whole number of a form.

    Raises:
        InvalidRequest: it is none.
    """
    if len(text) > _LONGEST or not _SIGNED.fullmatch(text) or (text[0] == "-" and not below_zero):
        raise InvalidRequest(f"{name}: {text[:40]!r} is not a whole number such as 50,000")
    return int(_BETWEEN.sub("", text))
