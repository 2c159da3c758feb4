"""What people type into the fields of a form: numbers, amounts of money, days and periods.

What may mean two things is refused, with what to type for each: "1.000" is a thousand to some and
one to others, and "1,5" is not 15. Every refusal starts with the name of the field.
"""

import re
from typing import Any

from quotad.catalog.numbers import WrittenFloat
from quotad.catalog.problems import Place, Problems
from quotad.catalog.windows import parse_billing
from quotad.errors import CatalogError, InvalidRequest
from quotad.moments import parsed_time

_WHOLE = r"(?:[0-9]{1,3}(?:[\s,_][0-9]{3})+|[0-9]{1,18})"
_NUMBER = re.compile(rf"{_WHOLE}(?:\.[0-9]{{1,18}})?")
_SIGNED = re.compile(rf"-?{_WHOLE}")
_MONEY = re.compile(r"(?:[0-9]{1,3}(?:[\s,_][0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,12})?")
_BETWEEN = re.compile(r"[\s,_]")
_LONGEST = 32
_SHOWN = 40

_EITHER = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
"""Thousands to one, decimals to another."""
_POINTS = re.compile(r"([1-9][0-9]{0,2}(?:[.'\u2019][0-9]{3})+)(?:,([0-9]+))?")
"""Points or apostrophes between thousands, and a comma before decimals."""
_DECIMAL_COMMA = re.compile(r"([0-9]+),([0-9]{1,2})")
_LEADING_ZERO = re.compile(r"0[0-9]")
_AROUND = re.compile(r"^[^0-9\-+]+|[^0-9]+$")
_CURRENCY = re.compile(r"[A-Za-z]{3}")


def looks_numeric(text: str) -> bool:
    """Whether a text is meant as a number, also one that is to be refused as it may mean two."""
    readings = (_NUMBER, _POINTS, _DECIMAL_COMMA)
    named = _LEADING_ZERO.match(text) is not None  # 007
    return len(text) <= _LONGEST and not named and any(each.fullmatch(text) for each in readings)


def typed_number(field: str, text: str) -> Any:
    """Return a number of a form as a file has it, with decimals where it was typed with some.

    Raises:
        InvalidRequest: it is none, or may mean two.
    """
    _check_one_meaning(field, text)
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        raise InvalidRequest(f"{field}: {_quoted(text)} is not a number such as {_like(text)}")
    digits = _BETWEEN.sub("", text)
    return WrittenFloat(digits) if "." in digits else int(digits)


def typed_whole(field: str, text: str, *, below_zero: bool = False) -> int:
    """Return a whole number of a form.

    Raises:
        InvalidRequest: it is none, or may mean two.
    """
    _check_one_meaning(field, text)
    if len(text) > _LONGEST or not _SIGNED.fullmatch(text) or (text[0] == "-" and not below_zero):
        like = _like(text, whole=True)
        raise InvalidRequest(f"{field}: {_quoted(text)} is not a whole number such as {like}")
    return int(_BETWEEN.sub("", text))


def typed_money(field: str, text: str) -> str:
    """Return an amount of money as a file has it: `1,200.50` is `1200.50`.

    Raises:
        InvalidRequest: it is none, or may mean two.
    """
    _check_one_meaning(field, text)
    if len(text) > _LONGEST or not _MONEY.fullmatch(text):
        raise InvalidRequest(f"{field}: {_quoted(text)} is not an amount such as {_like(text)}")
    return _BETWEEN.sub("", text)


def typed_currency(field: str, text: str) -> str:
    """Return the three letters of a currency.

    Raises:
        InvalidRequest: these are none.
    """
    if not _CURRENCY.fullmatch(text):
        raise InvalidRequest(f"{field}: {_quoted(text)} is no currency; write three letters: USD")
    return text.upper()


def typed_day(field: str, text: str) -> int:
    """Return a day, or a moment, as Unix time in milliseconds; without a zone it is UTC.

    Raises:
        InvalidRequest: there is no such day.
    """
    at = parsed_time(text) if len(text) <= _LONGEST else None
    if at is None:
        raise InvalidRequest(f"{field}: {_quoted(text)} is not a day; write one as 2027-01-31")
    return at


def typed_period(field: str, text: str) -> str:
    """Return the period of a limit: `month`, `5 hours`.

    Raises:
        InvalidRequest: it is none.
    """
    problems = Problems()
    if parse_billing(Place(problems, "", field), text) is None:
        try:
            problems.raise_if_any()
        except CatalogError as error:
            raise InvalidRequest(error.problems[0]) from None
    return text


def _check_one_meaning(field: str, text: str) -> None:
    """Refuse what is a thousand to one and a few decimals to another."""
    if not _EITHER.fullmatch(text):
        return
    thousands = f"{int(text.replace('.', '')):,}"
    whole, decimals = text.split(".")
    less = decimals.rstrip("0")
    few = f"{whole}.{less}0" if len(less) == 3 else f"{whole}.{less}" if less else whole
    raise InvalidRequest(
        f"{field}: {_quoted(text)} may mean {thousands} or {few}; write it as one of these"
    )


def _like(text: str, *, whole: bool = False) -> str:
    """A number to be typed instead: the one that was probably meant, else any."""
    bare = _AROUND.sub("", text)
    if len(text) <= _LONGEST:
        if found := _POINTS.fullmatch(bare):
            thousands = f"{int(re.sub(r'[^0-9]', '', found[1])):,}"
            return thousands if whole or not found[2] else f"{thousands}.{found[2]}"
        if not whole and (found := _DECIMAL_COMMA.fullmatch(bare)):
            return f"{found[1]}.{found[2]}"
        if bare != text and (_SIGNED if whole else _NUMBER).fullmatch(bare.removeprefix("-")):
            return bare.removeprefix("-")
    return "50,000"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
