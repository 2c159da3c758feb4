"""Texts as segments of paths: an id of dots alone is written with a tilde.

Browsers and many clients take `.` and `..` out of a path before they send it, also percent-encoded.
So `..` is written `~..`, and what would be read so is written with one tilde more.
"""

import re
from urllib.parse import quote

_DOTS = re.compile(r"~*\.\.?")


def written_segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(f"~{text}" if _DOTS.fullmatch(text) else text, safe="")


def read_segment(text: str) -> str:
    """Return what `written_segment` was given, of a segment without its percent-encoding."""
    return text[1:] if text.startswith("~") and _DOTS.fullmatch(text) else text
