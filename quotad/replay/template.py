"""Text with the fields of a log line in it: `{remote_host}`, `tenant-{user.id}`, `{groups.0}`."""

import string
from collections.abc import Iterable

from quotad.replay.access_log import LineError, Record


class TemplateError(ValueError):
    """A template that is malformed or names a field that does not exist."""


class MissingField(LineError):
    """A line without a field that a template names."""


class Template:
    """A compiled template; braces are doubled to stand for themselves.

    Raises:
        TemplateError: it is malformed.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: list[tuple[str, str | None]] = []
        try:
            parsed = list(string.Formatter().parse(text))
        except ValueError as error:
            raise TemplateError(f"{text!r}: {error}") from None
        for literal, field, spec, conversion in parsed:
            if spec or conversion:
                raise TemplateError(f"{text!r}: write {{{field}}}, without a format")
            if field is not None and not field.strip():
                raise TemplateError(f"{text!r}: names no field between its braces")
            self._parts.append((literal, field))
        self.fields = tuple(field for _, field in self._parts if field is not None)
        """The fields it names, in order."""
        self._single = self._parts[0][1] if text == f"{{{''.join(self.fields)}}}" else None
        self._constant = None if self.fields else "".join(literal for literal, _ in self._parts)

    def check(self, known: Iterable[str]) -> None:
        """Refuse a field that no line has.

        Raises:
            TemplateError: with the fields that exist.
        """
        known = tuple(known)
        for field in self.fields:
            if field not in known:
                raise TemplateError(f"{self.text!r}: no field {field!r}; {these_exist(known)}")

    def render(self, record: Record) -> str:
        """The text for one line.

        Raises:
            MissingField: the line does not have a field.
        """
        if self._single is not None:  # these two are the usual ones, and rendered per line
            return _value(record, self._single)
        if self._constant is not None:
            return self._constant
        return "".join(
            literal if field is None else literal + _value(record, field)
            for literal, field in self._parts
        )

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


def these_exist(fields: Iterable[str]) -> str:
    """The end of a message about a field that does not exist."""
    return f"these exist: {', '.join(fields) or 'none'}"


def _value(record: Record, field: str) -> str:
    value = record.get(field)
    if value is None:
        value = _nested(record, field)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        raise MissingField(f"no field {field!r}; {these_exist(record)}")
    raise MissingField(f"field {field!r} is neither text nor a number")


def _nested(record: Record, field: str) -> object:
    """Walk down `a.b.c`; a number is a place in a list, from 0."""
    value: object = record
    for key in field.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isascii() and key.isdigit():
            index = int(key) if len(key) < 10 else len(value)
            value = value[index] if index < len(value) else None
        else:
            return None
    return value
