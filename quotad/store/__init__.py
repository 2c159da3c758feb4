"""The store: everything quotad keeps in Redis, and the only room that talks to it.

Owns keys, scripts, connections, counters, customers and published catalogs. Does not know what a
plan means or why a charge is made; the engine plans charges, the sidecar and the admin service
publish catalogs and customers.
"""

from quotad.store.catalogs import Catalogs, Outcome, Published
from quotad.store.charges import (
    Charge,
    ChargeStatus,
    CounterSet,
    Once,
    PeriodLimit,
    Retention,
    Settlement,
    join,
    lay_out,
)
from quotad.store.connection import Store
from quotad.store.counters import ChargeScript
from quotad.store.customers import CustomerPage, Customers, Written
from quotad.store.facets import Wanted
from quotad.store.fleet import Candidate, Fleet, server_id
from quotad.store.index import CustomerIndex
from quotad.store.keys import CustomerKeys, KeySpace, catalog_tag, usage_suffix
from quotad.store.meta import check_layout
from quotad.store.router import Link

__all__ = [
    "Candidate",
    "Catalogs",
    "Charge",
    "ChargeScript",
    "ChargeStatus",
    "CounterSet",
    "CustomerIndex",
    "CustomerKeys",
    "CustomerPage",
    "Customers",
    "Fleet",
    "KeySpace",
    "Link",
    "Once",
    "Outcome",
    "PeriodLimit",
    "Published",
    "Retention",
    "Settlement",
    "Store",
    "Wanted",
    "Written",
    "catalog_tag",
    "check_layout",
    "join",
    "lay_out",
    "server_id",
    "usage_suffix",
]
