"""The status of the worker that answered, as a value."""

from datetime import datetime

import msgspec

from quotad.client import catalogs
from quotad.client.catalogs import CatalogVersion
from quotad.client.messages import read
from quotad.v1 import admin_pb2 as pb


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the worker is that answered."""

    server_version: str
    ready: bool
    not_ready_reason: str
    catalog: CatalogVersion | None
    """In force; None before the first publish."""
    store: str
    """Address, without credentials."""
    store_up: bool
    """Whether it answers; `not_ready_reason` is why calls are refused all the same."""
    started_at: datetime | None
    pid: int
    front: str
    """`fast`, `native` or `grpcio`."""
    decisions: dict[str, int]
    """Of this worker since its start, by reason."""
    cached_customers: int
    store_warnings: tuple[str, ...] = ()
    """What of the store can lose or double what is counted."""


def server_status(message: pb.GetStatusResponse) -> ServerStatus:
    """Read how the worker is."""
    return read(
        ServerStatus,
        message,
        catalog=catalogs.version(message.catalog) if message.catalog.version else None,
        decisions=dict(message.decisions),
    )
