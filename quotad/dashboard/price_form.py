"""Prices of plans and add-ons, as their forms have them."""

from typing import Any

import msgspec

from quotad.catalog.editing.changes import GONE
from quotad.catalog.editing.typed import typed_currency, typed_money
from quotad.dashboard.ask import FormFields

MONTH = "month"


class PriceRow(msgspec.Struct, frozen=True):
    """One price of a form."""

    amount: str = ""
    currency: str = ""
    billing: str = MONTH
    per: str = ""
    """The feature that it is for each unit of; empty: flat."""


def price_rows(written: object, typed: FormFields | None = None) -> list[PriceRow]:
    """Return the prices that a form shows, and room for another.

    Args:
        written: what the file has.
        typed: what was sent and refused; None: nothing was.
    """
    old = _listed(written)
    usual = str(old[0].get("currency", "USD")) if old else "USD"
    rows = [
        PriceRow(
            str(each.get("amount", "")),
            str(each.get("currency", "")),
            str(each.get("billing", MONTH)),
            str(each.get("feature", "")),
        )
        for each in old
    ]
    rows.append(PriceRow(currency=usual))
    if typed is None:
        return rows
    return [
        PriceRow(
            typed.get(f"amount{index}"),
            typed.get(f"currency{index}"),
            typed.get(f"billing{index}"),
            row.per,
        )
        for index, row in enumerate(rows)
    ]


def price_fields(written: object) -> tuple[str, ...]:
    """Return the names of the fields of a form with prices."""
    rows = range(len(_listed(written)) + 1)
    return tuple(f"{name}{index}" for index in rows for name in ("amount", "currency", "billing"))


def sent_prices(form: FormFields, written: object) -> object:
    """Return the prices of a form, with what it does not show as it was written.

    Args:
        form: with `amount0`, `currency0`, `billing0` and so on.
        written: what the file has.

    Raises:
        InvalidRequest: an amount or a currency is none.
    """
    old = _listed(written)
    prices = []
    for index in range(len(old) + 1):
        amount, currency = form.get(f"amount{index}"), form.get(f"currency{index}")
        if not amount:
            continue
        kept = old[index] if index < len(old) else {}
        if amount != kept.get("amount"):
            amount = typed_money(f"amount{index}", amount)
        price = {**kept, "amount": amount, "currency": typed_currency(f"currency{index}", currency)}
        billing = form.get(f"billing{index}", MONTH)
        if billing != MONTH or "billing" in kept:
            price["billing"] = billing
        prices.append(price)
    return prices or GONE


def _listed(written: object) -> list[dict[str, Any]]:
    rows = written if isinstance(written, list) else []
    return [each if isinstance(each, dict) else {} for each in rows]
