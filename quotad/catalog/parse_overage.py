"""The `overage_price` of an entitlement -> `OveragePrice`; and amounts of money."""

import re

from quotad.catalog.numbers import WrittenFloat
from quotad.catalog.problems import Place, check_keys, described, mapping_of
from quotad.model import QUANTITY_MAX
from quotad.prices import OveragePrice

_KEYS = ("amount", "currency", "each")
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,12})?")
_CURRENCY = re.compile("[A-Z]{3}")


def parse_overage_price(place: Place, value: object) -> OveragePrice | None:
    """Return the price of what is past a soft limit, or None after noting what is wrong."""
    raw = mapping_of(place, value, '{amount: "0.50", currency: USD, each: 1000}')
    if raw is None:
        return None
    amount, currency = amount_and_currency(place, raw, _KEYS)
    each = raw.get("each", 1)
    if not isinstance(each, int) or isinstance(each, bool) or not 1 <= each <= QUANTITY_MAX:
        place.key("each").refuse(
            f"must be a whole number from 1 to {QUANTITY_MAX:,}, not {described(each)}"
        )
        return None
    if amount is None or currency is None:
        return None
    return OveragePrice(amount, currency, each)


def amount_and_currency(
    place: Place, raw: dict[str, object], keys: tuple[str, ...]
) -> tuple[str | None, str | None]:
    """Return the amount and the currency of a price; None for each that is wrong, or missing."""
    fits = check_keys(place, raw, keys)
    for key, example in (("amount", "'amount: \"29.00\"'"), ("currency", "'currency: USD'")):
        if key not in raw and fits:
            place.refuse(f"has no {key}; write {example}")
    amount = _amount(place.key("amount"), raw["amount"]) if "amount" in raw else None
    currency = raw.get("currency")
    if "currency" in raw and not (isinstance(currency, str) and _CURRENCY.fullmatch(currency)):
        upper = currency.upper() if isinstance(currency, str) else ""
        hint = f"; write {upper}" if upper != currency and _CURRENCY.fullmatch(upper) else ""
        place.key("currency").refuse(
            f"must be three letters of ISO 4217 such as USD, not {described(currency)}{hint}"
        )
        currency = None
    return amount, currency if isinstance(currency, str) else None


def _amount(place: Place, value: object) -> str | None:
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return value
    number = isinstance(value, int | WrittenFloat) and not isinstance(value, bool)
    text = described(value)
    hint = f'; write it in quotes: "{value}"' if number and _AMOUNT.fullmatch(text) else ""
    place.refuse(f'must be a decimal number in quotes such as "29.00", not {text}{hint}')
    return None
