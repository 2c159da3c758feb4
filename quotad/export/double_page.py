"""What a stand-in for Stripe bills, as a page for a browser that reads itself anew."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

COLUMNS = {
    "customer": "Customer at Stripe",
    "meter": "Meter",
    "billed": "Billed",
    "events": "Events",
    "cancelled": "Cancelled",
    "latest": "Latest",
}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><title>What Stripe would bill</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8885; }}
</style></head><body>
<h1>What Stripe would bill</h1>
<p>This is the stand-in of <code>quotad dev --stripe-double</code>: it keeps what it is sent in
memory, and charges nobody.</p>
{table}</body></html>
"""


def bills_page(bills: Sequence[Mapping[str, Any]]) -> bytes:
    """The page of what customers are billed for."""
    if not bills:
        empty = "<p>Nothing was sent yet: what is used is summed up for 10 seconds first.</p>"
        return _PAGE.format(table=empty).encode()
    head = "".join(f'<th scope="col">{title}</th>' for title in COLUMNS.values())
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(each[key]))}</td>" for key in COLUMNS) + "</tr>\n"
        for each in bills
    )
    table = f"<div><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>"
    return _PAGE.format(table=table).encode()
