"""Prices of plans and add-ons, as their forms have them."""

from quotad.catalog.editing.changes import GONE
from quotad.dashboard.ask import FormFields


def sent_prices(form: FormFields, written: object) -> object:
    """Return the prices of a form, with what it does not show as it was written.

    Args:
        form: with `amount0`, `currency0`, `billing0` and so on.
        written: what the file has.
    """
    old = written if isinstance(written, list) else []
    prices = []
    for index in range(len(old) + 1):
        amount = form.get(f"amount{index}")
        if not amount:
            continue
        kept = old[index] if index < len(old) and isinstance(old[index], dict) else {}
        price = {**kept, "amount": amount, "currency": form.get(f"currency{index}").upper()}
        billing = form.get(f"billing{index}", "month")
        if billing != "month" or "billing" in kept:
            price["billing"] = billing
        prices.append(price)
    return prices or GONE
