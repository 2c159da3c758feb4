"""Names for the shell to complete: of the customers and the catalog of the server that is meant.

Where the server does not answer in time, nothing is completed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from quotad.client.admin import AdminClient

TIMEOUT_S = 0.7
"""Of the call for names: a person has pressed a key and is waiting."""

NAMES_MAX = 100
"""Most customers that are offered; for the others the user types another letter."""


def customers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of customers with a record."""
    with _names_of(_server(ctx)) as (admin, found):
        ids = (
            each.customer_id for each in admin.customers(page_size=NAMES_MAX, id_prefix=incomplete)
        )
        found.extend(islice(ids, NAMES_MAX))
    return found


def known(server: str, section: str) -> list[str]:
    """Names of a section of the catalog in force; empty where the server does not answer."""
    with _names_of(server) as (admin, found):
        found.extend(admin.catalog().document.get(section, {}))
    return found


def _of_catalog(section: str) -> Callable[[typer.Context, str], list[str]]:
    def names(ctx: typer.Context, incomplete: str) -> list[str]:
        return [name for name in known(_server(ctx), section) if name.startswith(incomplete)]

    return names


features = _of_catalog("features")
"""Ids of features of the catalog in force."""
plans = _of_catalog("plans")
"""Ids of plans of the catalog in force."""
addons = _of_catalog("addons")
"""Ids of add-ons of the catalog in force."""


def _server(ctx: typer.Context) -> str:
    """The one that is meant."""
    from quotad.cli import tls
    from quotad.cli.options import SERVER_DEFAULT

    tls.choose_of(ctx)
    return ctx.params.get("server") or SERVER_DEFAULT


@contextmanager
def _names_of(server: str) -> "Iterator[tuple[AdminClient, list[str]]]":
    """A client of a server, and a list for what it knows."""
    from quotad.cli import tls
    from quotad.cli.root import CommandError
    from quotad.client import QuotaError
    from quotad.client.admin import AdminClient

    found: list[str] = []
    try:
        secure = tls.credentials()
    except CommandError:
        server, secure = "unix:/dev/null", None  # nothing that is meant to be secret leaves
    with AdminClient(server, timeout=TIMEOUT_S, retries=0, credentials=secure) as admin:
        try:
            yield admin, found
        except QuotaError:
            found.clear()
