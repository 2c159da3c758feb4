"""AdminService: catalogs, customers and status. Not hot: plain servicer methods in threads."""

import difflib
import functools
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from quotad import __version__
from quotad.catalog import Catalog, Source, diff, parse
from quotad.clock import Clock
from quotad.engine import Snapshots, ViewCache
from quotad.entitlements.subscriptions import archive, provision
from quotad.errors import CatalogError, InvalidRequest, NotFound, QuotadError
from quotad.fronts.status import abort
from quotad.model import CatalogRecord, CustomerRecord, StoredCustomer
from quotad.service.decode import check_id
from quotad.service.encode import timestamp
from quotad.store import Catalogs, Customers, Outcome
from quotad.store.health import Health
from quotad.v1 import admin_pb2 as pb
from quotad.v1 import admin_pb2_grpc

SERVICE = "quotad.v1.AdminService"

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 1000
MESSAGE_BYTES_MAX = 4000
"""Longest error message; gRPC sends it in a header, and clients refuse headers above 8 KiB."""

SECONDS_MAX = 253_402_300_799
"""9999-12-31 23:59:59, where calendars end."""

_log = logging.getLogger("quotad.service")
Q = TypeVar("Q")
R = TypeVar("R")


class AdminParts(msgspec.Struct, frozen=True):
    """What the admin service works on."""

    catalogs: Catalogs
    customers: Customers
    snapshots: Snapshots
    views: ViewCache
    health: Health
    clock: Clock
    store_address: str
    front: str
    started_ms: int
    decisions: Callable[[], dict[str, int]]
    """Decisions of this worker since its start, by reason."""


def _mapped(method: Callable[[Any, Q], R]) -> Callable[[Any, Q, Any], R]:
    """Let errors leave with their status, and nothing of an unforeseen one."""

    @functools.wraps(method)
    def call(self: Any, request: Q, context: Any) -> R:
        try:
            return method(self, request)
        except QuotadError as error:
            failed = _shortened(error)
        except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.exception("an admin call failed")
            failed = QuotadError("internal error; the server's log has the details")
        abort(context, failed)
        raise failed  # abort has raised already

    return call


def _shortened(error: QuotadError) -> QuotadError:
    if not isinstance(error, CatalogError):
        return error
    size = 0
    for shown, problem in enumerate(error.problems):
        size += _header_bytes(problem + "\n")
        if size > MESSAGE_BYTES_MAX:
            rest = len(error.problems) - shown
            more = f"... and {rest} more; `quotad catalog check` lists all of them"
            return CatalogError([*error.problems[:shown], more])
    return error


def _header_bytes(text: str) -> int:
    """Size of a text in gRPC's header for messages, where all but printable ASCII takes three."""
    data = text.encode()
    return len(data) + 2 * sum(not 0x20 <= byte <= 0x7E or byte == 0x25 for byte in data)


class AdminServicer(admin_pb2_grpc.AdminServiceServicer):
    """The servicer; one for all threads."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts

    @_mapped
    def PublishCatalog(self, request: pb.PublishCatalogRequest) -> pb.PublishCatalogResponse:
        """Validate everything, then publish."""
        catalog = _parse_files(request.files)
        expected = request.expected_version if request.HasField("expected_version") else None
        return self._publish(catalog, request.published_by, expected)

    @_mapped
    def GetCatalog(self, request: pb.GetCatalogRequest) -> pb.GetCatalogResponse:
        """One version, or the one in force."""
        record = self._record(request.version if request.HasField("version") else None)
        if record is None:
            raise NotFound("version: no catalog was published yet")
        return pb.GetCatalogResponse(
            version=self._version(record), document=record.document.decode()
        )

    @_mapped
    def ListCatalogVersions(
        self, request: pb.ListCatalogVersionsRequest
    ) -> pb.ListCatalogVersionsResponse:
        """The newest versions, newest first."""
        records = self._parts.catalogs.history(_page_size(request.page_size))
        in_force = self._parts.catalogs.version()
        versions = [_catalog_version(r, r.version == in_force) for r in records]
        return pb.ListCatalogVersionsResponse(versions=versions)

    @_mapped
    def RollbackCatalog(self, request: pb.RollbackCatalogRequest) -> pb.PublishCatalogResponse:
        """Publish an earlier content again."""
        record = self._parts.catalogs.get(request.version)
        by = request.published_by or f"rollback to version {request.version}"
        return self._publish(Catalog.from_document(record.document), by, None)

    @_mapped
    def DiffCatalog(self, request: pb.DiffCatalogRequest) -> pb.DiffCatalogResponse:
        """What publishing would change."""
        catalog = _parse_files(request.files)
        record = self._record(request.version if request.HasField("version") else None)
        return pb.DiffCatalogResponse(
            version=None if record is None else self._version(record),
            changes=_changes(record, catalog),
        )

    @_mapped
    def ProvisionCustomer(self, request: pb.ProvisionCustomerRequest) -> pb.Customer:
        """Create the customer or change its plan."""
        customer_id, plan_id = request.customer_id, request.plan_id
        check_id(customer_id, "customer_id")
        check_id(plan_id, "plan_id")
        parts = self._parts
        # The plan may have been published a moment ago, on another server.
        parts.snapshots.refresh(parts.snapshots.peek)
        plans = parts.snapshots.current().plans
        if plan_id not in plans:
            near = difflib.get_close_matches(plan_id, plans, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise InvalidRequest(f"plan_id: unknown plan {plan_id!r}{hint}")
        now_ms = parts.clock.now_ms()
        start_ms = _start_ms(request)

        def change(before: CustomerRecord | None) -> CustomerRecord:
            return provision(before or CustomerRecord(customer_id), plan_id, start_ms, now_ms)

        return self._write(customer_id, change)

    @_mapped
    def GetCustomer(self, request: pb.GetCustomerRequest) -> pb.Customer:
        """A provisioned customer."""
        check_id(request.customer_id, "customer_id")
        return _customer(self._existing(request.customer_id))

    @_mapped
    def ListCustomers(self, request: pb.ListCustomersRequest) -> pb.ListCustomersResponse:
        """A page of customers."""
        page = self._parts.customers.list_page(request.page_token, _page_size(request.page_size))
        return pb.ListCustomersResponse(
            customers=[_customer(c) for c in page.customers], next_page_token=page.next_token
        )

    @_mapped
    def ArchiveCustomer(self, request: pb.ArchiveCustomerRequest) -> pb.Customer:
        """Deny everything from here on."""
        check_id(request.customer_id, "customer_id")
        self._existing(request.customer_id)
        now_ms = self._parts.clock.now_ms()

        def change(before: CustomerRecord | None) -> CustomerRecord:
            return archive(before or CustomerRecord(request.customer_id), now_ms)

        return self._write(request.customer_id, change)

    @_mapped
    def GetStatus(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
        """How this worker is; answers without the store."""
        parts = self._parts
        problem = parts.health.problem or parts.snapshots.problem
        published = parts.snapshots.published
        return pb.GetStatusResponse(
            server_version=__version__,
            ready=not problem,
            not_ready_reason=problem,
            catalog=None if published is None else _catalog_version(published, in_force=True),
            store=parts.store_address,
            store_up=parts.health.up,
            started_at=timestamp(parts.started_ms),
            pid=os.getpid(),
            front=parts.front,
            decisions=parts.decisions(),
            cached_customers=len(parts.views),
        )

    def _publish(
        self, catalog: Catalog, published_by: str, expected: int | None
    ) -> pb.PublishCatalogResponse:
        if published_by:
            check_id(published_by, "published_by")
        catalogs = self._parts.catalogs
        before = catalogs.current()
        published = catalogs.publish(
            catalog.document, catalog.digest, published_by=published_by, expected_version=expected
        )
        outcome = pb.PublishCatalogResponse.OUTCOME_UNCHANGED
        if published.outcome is Outcome.PUBLISHED:
            outcome = pb.PublishCatalogResponse.OUTCOME_PUBLISHED
        return pb.PublishCatalogResponse(
            outcome=outcome,
            version=self._version(catalogs.get(published.version)),
            changes=_changes(before, catalog),
        )

    def _record(self, version: int | None) -> CatalogRecord | None:
        catalogs = self._parts.catalogs
        return catalogs.current() if version is None else catalogs.get(version)

    def _version(self, record: CatalogRecord) -> pb.CatalogVersion:
        in_force = record.version == self._parts.catalogs.version()
        return _catalog_version(record, in_force)

    def _existing(self, customer_id: str) -> StoredCustomer:
        stored = self._parts.customers.get(customer_id)
        if stored.record is None:
            raise NotFound(f"customer_id: {customer_id!r} was never provisioned")
        return stored

    def _write(
        self, customer_id: str, change: Callable[[CustomerRecord | None], CustomerRecord]
    ) -> pb.Customer:
        stored = self._parts.customers.update(customer_id, change)
        self._parts.views.drop(customer_id)
        return _customer(stored)


def _parse_files(files: Any) -> Catalog:
    if not files:
        raise InvalidRequest("files: missing; give at least one plan file")
    return parse([Source(file.name or "catalog.yaml", file.content) for file in files])


def _catalog_version(record: CatalogRecord, in_force: bool) -> pb.CatalogVersion:
    return pb.CatalogVersion(
        version=record.version,
        digest=record.digest,
        published_at=timestamp(record.published_ms),
        published_by=record.published_by,
        in_force=in_force,
    )


def _changes(record: CatalogRecord | None, catalog: Catalog) -> list[pb.CatalogChange]:
    before = None
    if record is not None:
        with suppress(CatalogError):  # of a newer quotad: everything in it counts as new
            before = Catalog.from_document(record.document)
    return [
        pb.CatalogChange(path=c.path, before=c.before, after=c.after) for c in diff(before, catalog)
    ]


def _page_size(size: int) -> int:
    if not 0 <= size <= PAGE_SIZE_MAX:
        raise InvalidRequest(f"page_size: {size} is not between 0 and {PAGE_SIZE_MAX}")
    return size or PAGE_SIZE_DEFAULT


def _start_ms(request: pb.ProvisionCustomerRequest) -> int | None:
    if not request.HasField("start"):
        return None
    if not 0 <= request.start.seconds <= SECONDS_MAX:
        raise InvalidRequest("start: must be a moment from 1970-01-01 to 9999-12-31")
    return request.start.seconds * 1000 + request.start.nanos // 1_000_000


def _customer(stored: StoredCustomer) -> pb.Customer:
    record = stored.record
    assert record is not None
    status = pb.CUSTOMER_STATUS_ARCHIVED if record.archived else pb.CUSTOMER_STATUS_ACTIVE
    return pb.Customer(
        customer_id=record.customer_id,
        status=status,
        subscriptions=[
            pb.Subscription(plan_id=s.plan_id, start=timestamp(s.start_ms))
            for s in record.subscriptions
        ],
        epoch=stored.epoch,
        created_at=timestamp(record.created_ms),
        updated_at=timestamp(record.updated_ms),
    )
