"""A page of customers, put together from stretches of a search for as long as a page may take."""

import time

from quotad.operations.finding import FindingOperations
from quotad.records import StoredCustomer
from quotad.store.facets import Wanted

LOOKS_S = 0.12
"""How long one page is gathered, where few customers are what is looked for; the next goes on."""

STRETCH_MAX = 100
"""Most customers that are asked for at once."""


def gather(
    finding: FindingOperations, wanted: Wanted, token: str, size: int
) -> tuple[list[StoredCustomer], str]:
    """Return customers that are looked for, and the token of the page after them.

    Args:
        finding: finds them.
        wanted: which.
        token: of the page before; empty: the first page.
        size: most of them.

    Raises:
        InvalidRequest: the token or what is looked for is of the wrong shape.
        StoreUnavailable: the store refused or timed out.
    """
    found: list[StoredCustomer] = []
    until = time.monotonic() + LOOKS_S
    while True:
        page = finding.find(wanted, token, min(STRETCH_MAX, size - len(found)))
        found += page.customers
        token = page.next_token
        if not token or len(found) >= size or time.monotonic() > until:
            return found, token
