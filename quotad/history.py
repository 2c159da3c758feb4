"""What is kept of writes: whose doing each was, and what it changed."""

import msgspec

from quotad.errors import InvalidRequest

ACTOR_BYTES_MAX = 256

LOCAL = "local"
"""The actor of what was written from the machine itself, without a token."""

LINES_MAX = 20
"""Most lines in which one change is described."""

LINE_MAX = 200
"""Longest line, in characters."""

COMMENT_BYTES_MAX = 1024


class CustomerChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """A write of a customer."""

    actor: str
    """Name of the token; without tokens `local`, or the address."""
    call: str
    """The operation: ProvisionCustomer, ..."""
    changes: tuple[str, ...] = ()
    """What it changed, in words."""
    epoch: int = 0
    """That it made: the time of the write (Unix ms) or more."""
    comment: str = ""
    """Why, as whoever made it wrote it."""
    undoable: bool = False
    """Whether what the customer was before is kept, so that it can be brought back; not stored."""


def fit(text: str) -> str:
    """A name of an actor as it can be kept and shown."""
    if len(text) < ACTOR_BYTES_MAX // 4 and text.isprintable():
        return text
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown.encode()[:ACTOR_BYTES_MAX].decode(errors="ignore")


def bounded(lines: list[str]) -> tuple[str, ...]:
    """Return lines as they are kept: not too many, none too long."""
    kept = [line if len(line) <= LINE_MAX else f"{line[: LINE_MAX - 1]}…" for line in lines]
    if len(kept) > LINES_MAX:
        more = len(kept) - LINES_MAX + 1
        kept[LINES_MAX - 1 :] = [f"and {more} more"]
    return tuple(kept)


def check_comment(comment: str) -> None:
    """Raise InvalidRequest unless a comment fits the history."""
    if len(comment.encode(errors="replace")) > COMMENT_BYTES_MAX:
        raise InvalidRequest(f"comment: is longer than {COMMENT_BYTES_MAX} bytes")
