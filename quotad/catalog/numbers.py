"""Numbers of a catalog, exactly: whole amounts, and decimals without float arithmetic."""

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from quotad.catalog.problems import Place, check_keys, described
from quotad.model import QUANTITY_MAX, Feature

_SCALES = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
"""Of 0 to `DECIMALS_MAX` decimal places."""

_NO_LIMIT = "; for no limit use 'unlimited: true'"


def parse_limit_amount(place: Place, feature: Feature, value: object) -> int | None:
    """Return a limit in the units that are counted, or note why it cannot be one.

    Of a pool with decimals these are 10^-decimals; what is written is whole credits.
    """
    return _amount(place, feature, value, _NO_LIMIT)


def parse_amount(place: Place, feature: Feature, value: object, least: int = 0) -> int | None:
    """Return another amount than a limit, in the units that are counted."""
    amount = _amount(place, feature, value, "")
    if amount is not None and amount < least:
        place.refuse(f"must be at least {least}")
        return None
    return amount


def parse_per_unit(
    place: Place,
    feature: Feature,
    value: object,
    parse: Callable[[Place, Feature, object], int | None],
) -> tuple[int | None, bool]:
    """Return an amount, and whether it is for each unit of the subscription: `{per_unit: 1}`.

    Args:
        place: of the amount.
        feature: that it is of.
        value: what stands there.
        parse: reads the number.
    """
    if not isinstance(value, dict):
        return parse(place, feature, value), False
    if not check_keys(place, value, ("per_unit",)):
        return None, True
    if "per_unit" not in value:
        place.refuse("is empty; write a number, or {per_unit: 1}")
        return None, True
    amount = parse(place.key("per_unit"), feature, value["per_unit"])
    if amount == 0:
        place.key("per_unit").refuse("must be at least 1")
        return None, True
    return amount, True


class WrittenFloat(float):
    """A number of a file with a point or an exponent, shown as it was written: 0.50, 1e2."""

    __slots__ = ("_text",)
    _text: str

    def __new__(cls, text: str) -> "WrittenFloat":
        """Of digits without underscores."""
        made = super().__new__(cls, text)
        made._text = text
        return made

    def __str__(self) -> str:
        return self._text


def parse_decimal(place: Place, value: object, places: int, places_hint: str) -> int | None:
    """Return a number times 10^places, or note why it is not one with those decimal places.

    Args:
        place: of the number.
        value: a number, or text that is one. A float is taken by the spelling it has in its file,
            or by its shortest one.
        places: most decimal places.
        places_hint: what to do about more of them.
    """
    number = _decimal(value)
    if number is None:
        place.refuse(f"must be a number such as 2 or 0.5, not {described(value)}")
        return None
    if number and number.adjusted() > 30:
        place.refuse("is a huge number")
        return None
    if _places(number) > places:
        place.refuse(f"{described(value)} has more than {places} decimal places{places_hint}")
        return None
    return int(number.scaleb(places))


def unscaled(amount: int, places: int) -> int | float:
    """Return the number to write for `amount` in units of 10^-places.

    A float of at most 15 digits is spelled as those digits, so it reads back as the same amount.
    """
    scale = _SCALES[places]
    if amount % scale == 0:
        return amount // scale
    return float(Decimal(amount).scaleb(-places))


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int) and abs(value) >= 10**30:  # Python refuses to spell very long ones
        return Decimal(10) ** 40
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _places(number: Decimal) -> int:
    """Count decimal places; not by `normalize`, which rounds what is very long."""
    exponent = number.as_tuple().exponent
    if not number or not isinstance(exponent, int):
        return 0
    digits = "".join(map(str, number.as_tuple().digits))
    return -exponent - (len(digits) - len(digits.rstrip("0")))


def _amount(place: Place, feature: Feature, value: object, for_none: str) -> int | None:
    scale = _SCALES[feature.decimals]
    most = QUANTITY_MAX // scale
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            place.refuse(f"{described(value)} is negative{for_none}")
            return None
        if value > most:
            where = f" with {feature.decimals} decimals" if feature.decimals else ""
            place.refuse(
                f"is larger than {most:,}, the most that is counted exactly{where}{for_none}"
            )
            return None
        return value * scale
    if isinstance(value, float) and value.is_integer() and 0 <= value <= most:
        hint = f"; write {int(value)}"
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        hint = f"; write {int(value)}, without quotes"
    elif value is None or value in ("unlimited", math.inf):
        hint = for_none
    else:
        hint = ""
    place.refuse(f"must be a whole number, not {described(value)}{hint}")
    return None
