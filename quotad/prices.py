"""What is asked for plans, add-ons and overage: shown and exported, charged elsewhere."""

import msgspec

ONCE = "once"
"""In place of a billing period: paid once, not again with each period."""


class Price(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One price of a plan or an add-on."""

    amount: str
    """A decimal number, as it was written: `29.00`."""
    currency: str
    """Three letters of ISO 4217."""
    billing: str = "month"
    """The period that it is for, as a catalog spells it, or `once`."""
    feature_id: str = ""
    """The feature that it is for each unit of; empty: flat."""
    stripe_price: str = ""
    """Id of the same price in Stripe; empty: not known."""


class OveragePrice(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The price of usage past a soft limit."""

    amount: str
    """A decimal number, as it was written."""
    currency: str
    """Three letters of ISO 4217."""
    each: int = 1
    """Units that it is for."""
