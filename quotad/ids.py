"""What ids and names may look like, in calls, rows of an import and searches alike."""

from quotad.decision import ID_BYTES_MAX
from quotad.errors import InvalidRequest

NAME_BYTES_MAX = 256
"""Longest display name of a customer, in bytes of UTF-8."""


def check_id(text: str, field: str) -> None:
    """Refuse an id that is missing, too long or not printable.

    Raises:
        InvalidRequest: names the field.
    """
    if not text:
        raise InvalidRequest(f"{field}: missing; give 1 to {ID_BYTES_MAX} bytes")
    size = len(text) if text.isascii() else len(text.encode())
    if size > ID_BYTES_MAX:
        raise InvalidRequest(f"{field}: {size} bytes long; at most {ID_BYTES_MAX} are allowed")
    if not text.isprintable():
        raise InvalidRequest(f"{field}: {text[:40]!r} has characters that cannot be printed")


def check_name(text: str) -> None:
    """Refuse a display name that is too long or not printable; it may be empty.

    Raises:
        InvalidRequest: names the field.
    """
    check_text(text, "name", NAME_BYTES_MAX)


def check_text(text: str, field: str, bytes_max: int) -> None:
    """Refuse a text that is too long or not printable; it may be empty.

    Raises:
        InvalidRequest: names the field.
    """
    size = len(text.encode())
    if size > bytes_max:
        raise InvalidRequest(f"{field}: {size} bytes long; at most {bytes_max}")
    if not text.isprintable():
        raise InvalidRequest(f"{field}: {text[:40]!r} has characters that cannot be printed")
