"""The admin service from Python: catalogs, customers, status; for the command line and scripts.

Reads are tried again when nobody answers. Writes are not: whether one happened is for the caller
to look up.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import msgspec

from quotad.client.blocking import Connection
from quotad.client.calls import Policy, checked, retried
from quotad.model import BATCH_MAX
from quotad.v1 import admin_pb2 as pb
from quotad.v1.admin_pb2_grpc import AdminServiceStub

PAGE_MAX = BATCH_MAX
"""Most items that one list call returns."""


class CatalogFile(msgspec.Struct, frozen=True):
    """One plan file, as read; the ending of its name tells the format."""

    name: str
    content: str


class CatalogVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One published version of the catalog."""

    version: int
    digest: str
    """SHA-256 of the content, hexadecimal."""
    published_at: datetime | None
    """UTC."""
    published_by: str
    in_force: bool


class CatalogChange(msgspec.Struct, frozen=True):
    """One difference between two catalogs."""

    path: str
    before: str
    """JSON; empty: added."""
    after: str
    """JSON; empty: removed."""


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What a publish or a rollback did."""

    outcome: str
    """`PUBLISHED`, or `UNCHANGED` when the content was in force already."""
    version: CatalogVersion
    """In force now."""
    changes: tuple[CatalogChange, ...]


class CatalogDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What would change if a catalog were published."""

    version: CatalogVersion
    """Compared with."""
    changes: tuple[CatalogChange, ...]


class CatalogDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One version with its content."""

    version: CatalogVersion
    document: Any
    """Parsed JSON."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's contract for one plan."""

    plan_id: str
    start: datetime | None
    """UTC; also the anchor of its billing periods."""


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A provisioned customer."""

    customer_id: str
    status: str
    """`ACTIVE` or `ARCHIVED`."""
    subscriptions: tuple[Subscription, ...]
    epoch: int
    """Grows with every write."""
    created_at: datetime | None
    updated_at: datetime | None


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
    started_at: datetime | None
    pid: int
    front: str
    """`native` or `grpcio`."""
    decisions: dict[str, int]
    """Of this worker since its start, by reason."""
    cached_customers: int


class AdminClient:
    """Administers a quotad server.

    Args:
        address: HOST:PORT, or `unix:PATH`.
        timeout: seconds that one call may take, all its tries together.
        retries: further tries of a read after UNAVAILABLE.
        credentials: for TLS; without them the connection is in the clear.
        channel_options: gRPC channel arguments, on top of the client's own.

    Every method raises a QuotaError when its call fails; NOT_FOUND and ABORTED (a lost
    compare-and-set) arrive as a QuotaServerError with that `code`.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        timeout: float = 5.0,
        retries: int = 2,
        credentials: Any = None,
        channel_options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        self._read = Policy(timeout_s=timeout, retries=retries)
        self._write = Policy(timeout_s=timeout, retries=0)
        self._connection = Connection(address, AdminServiceStub, credentials, channel_options)

    def publish(
        self,
        files: Sequence[CatalogFile],
        *,
        expected_version: int | None = None,
        published_by: str = "",
    ) -> Publication:
        """Publish a whole catalog; content already in force is a no-op.

        Args:
            files: the plan files, together one catalog.
            expected_version: publish only while this version is in force.
            published_by: free text for the history.
        """
        request = checked(
            pb.PublishCatalogRequest,
            files=_files(files),
            expected_version=expected_version,
            published_by=published_by,
        )
        return _publication(self._call(self._write, "PublishCatalog", request))

    def rollback(self, version: int, *, published_by: str = "") -> Publication:
        """Publish the content of an earlier version as a new version."""
        request = checked(pb.RollbackCatalogRequest, version=version, published_by=published_by)
        return _publication(self._call(self._write, "RollbackCatalog", request))

    def diff(self, files: Sequence[CatalogFile]) -> CatalogDiff:
        """What would change if these files were published."""
        request = checked(pb.DiffCatalogRequest, files=_files(files))
        answer = self._call(self._read, "DiffCatalog", request)
        return CatalogDiff(version=_version(answer.version), changes=_changes(answer.changes))

    def catalog(self, version: int | None = None) -> CatalogDocument:
        """One version with its content; without a number, the one in force."""
        request = checked(pb.GetCatalogRequest, version=version)
        answer = self._call(self._read, "GetCatalog", request)
        document = msgspec.json.decode(answer.document)
        return CatalogDocument(version=_version(answer.version), document=document)

    def history(self, limit: int = 50) -> tuple[CatalogVersion, ...]:
        """Published versions, newest first, at most 1,000."""
        request = checked(pb.ListCatalogVersionsRequest, page_size=min(limit, PAGE_MAX))
        answer = self._call(self._read, "ListCatalogVersions", request)
        return tuple(_version(version) for version in answer.versions)

    def provision(self, customer_id: str, plan_id: str, start: datetime | None = None) -> Customer:
        """Create the customer or change its plan; brings an archived one back.

        Args:
            customer_id: whom.
            plan_id: which plan.
            start: when the subscription starts (with a time zone); without it a new customer
                starts now and a known one keeps its start.
        """
        request = checked(
            pb.ProvisionCustomerRequest, customer_id=customer_id, plan_id=plan_id, start=start
        )
        return _customer(self._call(self._write, "ProvisionCustomer", request))

    def customer(self, customer_id: str) -> Customer:
        """One customer."""
        request = checked(pb.GetCustomerRequest, customer_id=customer_id)
        return _customer(self._call(self._read, "GetCustomer", request))

    def customers(self, page_size: int = PAGE_MAX) -> Iterator[Customer]:
        """Every customer, by shard, then by id; fetched page by page as they are asked for."""
        token = ""
        while True:
            request = pb.ListCustomersRequest(page_size=min(page_size, PAGE_MAX), page_token=token)
            answer = self._call(self._read, "ListCustomers", request)
            yield from map(_customer, answer.customers)
            token = answer.next_page_token
            if not token:
                return

    def archive(self, customer_id: str) -> Customer:
        """Deny everything until the customer is provisioned again; usage is kept."""
        request = checked(pb.ArchiveCustomerRequest, customer_id=customer_id)
        return _customer(self._call(self._write, "ArchiveCustomer", request))

    def status(self) -> ServerStatus:
        """How the worker is that answers."""
        answer = self._call(self._read, "GetStatus", pb.GetStatusRequest())
        return ServerStatus(
            server_version=answer.server_version,
            ready=answer.ready,
            not_ready_reason=answer.not_ready_reason,
            catalog=_version(answer.catalog) if answer.catalog.version else None,
            store=answer.store,
            store_up=answer.store_up,
            started_at=_time(answer, "started_at"),
            pid=answer.pid,
            front=answer.front,
            decisions=dict(answer.decisions),
            cached_customers=answer.cached_customers,
        )

    def close(self) -> None:
        """Close the connection; calls in flight fail."""
        self._connection.close()

    def _call(self, policy: Policy, method: str, request: Any) -> Any:
        return self._connection.run(retried(policy, method, request))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AdminClient({self._connection.address!r})"


def _files(files: Sequence[CatalogFile]) -> list[pb.CatalogFile]:
    return [checked(pb.CatalogFile, name=file.name, content=file.content) for file in files]


def _publication(answer: pb.PublishCatalogResponse) -> Publication:
    return Publication(
        outcome=_name(pb.PublishCatalogResponse.Outcome, answer.outcome, "OUTCOME_"),
        version=_version(answer.version),
        changes=_changes(answer.changes),
    )


def _version(message: pb.CatalogVersion) -> CatalogVersion:
    return CatalogVersion(
        version=message.version,
        digest=message.digest,
        published_at=_time(message, "published_at"),
        published_by=message.published_by,
        in_force=message.in_force,
    )


def _changes(messages: Sequence[pb.CatalogChange]) -> tuple[CatalogChange, ...]:
    return tuple(CatalogChange(each.path, each.before, each.after) for each in messages)


def _customer(message: pb.Customer) -> Customer:
    return Customer(
        customer_id=message.customer_id,
        status=_name(pb.CustomerStatus, message.status, "CUSTOMER_STATUS_"),
        subscriptions=tuple(
            Subscription(plan_id=each.plan_id, start=_time(each, "start"))
            for each in message.subscriptions
        ),
        epoch=message.epoch,
        created_at=_time(message, "created_at"),
        updated_at=_time(message, "updated_at"),
    )


def _time(message: Any, field: str) -> datetime | None:
    return getattr(message, field).ToDatetime(tzinfo=UTC) if message.HasField(field) else None


def _name(enum: Any, number: int, prefix: str) -> str:
    """The value's name without its prefix; a newer server may send one that has none here."""
    known: dict[int, str] = {value: name for name, value in enum.items()}
    return known.get(number, str(number)).removeprefix(prefix)
