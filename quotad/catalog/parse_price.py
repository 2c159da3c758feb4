"""`prices` of a plan or an add-on -> `Price`."""

from quotad.catalog.known import Known
from quotad.catalog.parse_overage import amount_and_currency
from quotad.catalog.problems import Place, described, mapping_of, shown, text_of
from quotad.catalog.windows import parse_billing
from quotad.decision import ID_BYTES_MAX
from quotad.prices import ONCE, Price

PRICES_MAX = 100
"""Most prices of one plan or add-on."""

_KEYS = ("amount", "currency", "billing", "feature", "stripe_price")
_EXAMPLE = '{amount: "29.00", currency: USD, billing: month}'


def parse_prices(known: Known, place: Place, raw: dict[str, object]) -> tuple[Price, ...]:
    """Return the prices below `prices`, in their order; problems are noted.

    Args:
        known: the features that they may name.
        place: of the plan or add-on.
        raw: it.
    """
    if "prices" not in raw:
        return ()
    section, rows = place.key("prices"), raw["prices"]
    if not isinstance(rows, list):
        section.refuse(f"must be a list such as [{_EXAMPLE}], not {described(rows)}")
        return ()
    if len(rows) > PRICES_MAX:
        section.refuse(f"has {len(rows)} prices, at most {PRICES_MAX} are allowed")
        return ()
    prices: dict[tuple[str, str, str], Price] = {}
    for index, row in enumerate(rows):
        price = _price(known, section.item(index), row)
        if price is None:
            continue
        key = (price.currency, price.billing, price.feature_id)
        if key in prices:
            section.item(index).refuse("is a second price in this currency for the same thing")
        prices[key] = price
    return tuple(prices.values())


def _price(known: Known, place: Place, row: object) -> Price | None:
    raw = mapping_of(place, row, _EXAMPLE)
    if raw is None:
        return None
    amount, currency = amount_and_currency(place, raw, _KEYS)
    billing: str | None = "month"
    if raw.get("billing") == ONCE:
        billing = ONCE
    elif "billing" in raw:
        window = parse_billing(place.key("billing"), raw["billing"])
        billing = None if window is None else window.per
    feature_id = _feature(known, place.key("feature"), raw["feature"]) if "feature" in raw else ""
    stripe: str | None = ""
    if "stripe_price" in raw:
        stripe = text_of(place.key("stripe_price"), raw["stripe_price"], ID_BYTES_MAX)
    if amount is None or currency is None or billing is None:
        return None
    return Price(amount, currency, billing, feature_id, stripe or "")


def _feature(known: Known, place: Place, value: object) -> str:
    if not isinstance(value, str):
        place.refuse(f"must be the name of a feature, not {described(value)}")
    elif value in known.features:
        return value
    elif known.merged.complete:
        place.refuse(f"unknown feature {shown(value)}{place.suggestion(value, known.features)}")
    return ""
