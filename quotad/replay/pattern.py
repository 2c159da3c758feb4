"""A line format in the user's own words: text with `{field}` where a field stands.

nginx's `log_format` is read as it is: in a pattern without braces `$field` stands for a field.
"""

import re
import string
from collections.abc import Sequence

from quotad.replay.access_log import IN_QUOTES, LineError, Record, split_request, unescaped

IGNORED = "_"
"""The field that no template needs; the only one that may stand in a pattern more than once."""

REQUEST = "request"
"""The field that is taken apart into `method`, `path` and `protocol` as well."""

_CLOSING = {"[": "]", "(": ")", "{": "}", "<": ">", "'": "'"}

_VARIABLE = re.compile(r"\$(\w+)")


class PatternError(ValueError):
    """A pattern that is malformed."""


class Pattern:
    """A compiled pattern.

    It describes the whole line: a field reaches up to the text that follows it in the pattern, in
    quotes up to the closing quote, and the last one up to the end of the line. One that ends at a
    blank holds none, unless brackets are around it or it is `{_}`. Nothing is tried twice, so that
    a line either fits in one way or does not fit.

    Args:
        text: the pattern.
        name: of the format.

    Raises:
        PatternError: it is malformed.
    """

    def __init__(self, text: str, name: str = "given") -> None:
        self._problem = f"not in the {name} format"
        pieces = _pieces(text)
        named = [field for _, field in pieces if field not in (None, IGNORED)]
        twice = next((field for field in named if named.count(field) > 1), None)
        if twice is not None:
            raise PatternError(f"{text!r}: names {twice!r} twice; {{{IGNORED}}} is for the others")
        if not named:
            raise PatternError(f"{text!r}: names no field")
        quoted: list[str] = []
        self._line = re.compile(_expression(pieces, quoted) + r"\Z", re.DOTALL)
        self._names = tuple(str(field) for field in named)
        self._quoted = tuple(name for name in self._names if name in quoted)
        self._request = REQUEST in self._names
        more = ("method", "path", "protocol") if self._request else ()
        self.fields = (*self._names, *(each for each in more if each not in self._names))
        """What every line has."""

    def parse(self, line: bytes) -> Record:
        """Read a line.

        Raises:
            LineError: it does not fit.
        """
        match = self._line.match(line.decode(errors="replace"))
        if match is None:
            raise LineError(self._problem)
        record = dict(zip(self._names, match.groups(), strict=True))
        for name in self._quoted:
            record[name] = unescaped(record[name])
        if self._request:
            method, path, protocol = split_request(record[REQUEST])
            record = {"method": method, "path": path, "protocol": protocol, **record}
        return record


def _pieces(text: str) -> list[tuple[str, str | None]]:
    """Literal texts, each with the field behind it; None: none follows."""
    if "{" not in text:
        text = _VARIABLE.sub(r"{\1}", text.replace("}", "}}"))
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise PatternError(f"{text!r}: {error}") from None
    pieces: list[tuple[str, str | None]] = []
    for literal, field, spec, conversion in parsed:
        if spec or conversion:
            raise PatternError(f"{text!r}: write {{{field}}}, without a format")
        if field is not None and not field.strip():
            raise PatternError(f"{text!r}: names no field between its braces")
        if field is not None and pieces and pieces[-1][1] is not None and not literal:
            raise PatternError(f"{text!r}: needs text between {{{pieces[-1][1]}}} and {{{field}}}")
        if pieces and pieces[-1][1] is None:  # a doubled brace ends a literal
            pieces[-1] = (pieces[-1][0] + literal, field)
        else:
            pieces.append((literal, field))
    return pieces


def _expression(pieces: Sequence[tuple[str, str | None]], quoted: list[str]) -> str:
    """The regular expression; names of fields in quotes are added to `quoted`.

    Groups are atomic, (?>...): where a field ends is never thought over.
    """
    made = [re.escape(pieces[0][0])]
    for (before, field), after in zip(pieces, [each[0] for each in pieces[1:]] + [""], strict=True):
        if field is None:
            continue
        group = "(?:" if field == IGNORED else "("
        if before.endswith('"') and after.startswith('"'):
            quoted.append(field)
            made.append(f"(?>{group}{IN_QUOTES})){re.escape(after)}")
        elif not after:
            made.append(f"{group}.*)")
        else:
            # Another word in front must not become part of a field.
            enclosed = _CLOSING.get(before[-1:]) == after[0]
            character = "." if field == IGNORED or enclosed or " " not in after else "[^ ]"
            made.append(f"(?>{group}{character}*?){re.escape(after)})")
    return "".join(made)
