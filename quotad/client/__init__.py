"""The Python client of quotad, for threads (`Client`) and for asyncio (`AsyncClient`).

Owns requests, retries and typed results. Does not decide or cache anything: every answer is the
server's. Imports nothing of the server, so it is cheap to import into any service.
"""

from quotad.changes import ChangeKind
from quotad.client.aio import AsyncClient
from quotad.client.blocking import Client
from quotad.client.calls import Consumption, Item
from quotad.client.errors import (
    QuotaDeadline,
    QuotaDenied,
    QuotaError,
    QuotaInvalid,
    QuotaServerError,
    QuotaUnavailable,
)
from quotad.client.leased import LeasedClient
from quotad.client.leased_aio import AsyncLeasedClient
from quotad.client.leases import LeaseTerm
from quotad.client.reservations import JointReservation, Reservation
from quotad.client.results import (
    ConsumeAllDecision,
    Credits,
    Decision,
    Entitlement,
    Entitlements,
    EntitlementSource,
    Explanation,
    ItemsDecision,
    LimitStatus,
    LocalDecision,
)
from quotad.client.slot import LiveSlot
from quotad.client.slot_aio import AsyncLiveSlot
from quotad.client.slots import AcquiredSlot, HeldSlot
from quotad.client.tls import tls_credentials
from quotad.client.watch import Watch
from quotad.client.watch_aio import AsyncWatch
from quotad.client.watching import WatchedChange
from quotad.decision import Reason, SourceKind
from quotad.model import FeatureType

__all__ = [
    "AcquiredSlot",
    "AsyncClient",
    "AsyncLeasedClient",
    "AsyncLiveSlot",
    "AsyncWatch",
    "ChangeKind",
    "Client",
    "ConsumeAllDecision",
    "Consumption",
    "Credits",
    "Decision",
    "Entitlement",
    "EntitlementSource",
    "Entitlements",
    "Explanation",
    "FeatureType",
    "HeldSlot",
    "Item",
    "ItemsDecision",
    "JointReservation",
    "LeaseTerm",
    "LeasedClient",
    "LimitStatus",
    "LiveSlot",
    "LocalDecision",
    "QuotaDeadline",
    "QuotaDenied",
    "QuotaError",
    "QuotaInvalid",
    "QuotaServerError",
    "QuotaUnavailable",
    "Reason",
    "Reservation",
    "SourceKind",
    "Watch",
    "WatchedChange",
    "tls_credentials",
]
