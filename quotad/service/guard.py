"""Which calls of gRPC need which right, and whether their token gives it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from quotad.decision import ConsumeRequest, Mode
from quotad.feed.access import check_may_watch, watcher_name
from quotad.feed.listener import Watcher
from quotad.fronts.interface import Call, Details
from quotad.fronts.origin import origin
from quotad.history import LOCAL
from quotad.service.quota import METHODS, TOGETHER, Checked
from quotad.tokens.access import Access, TokenTable, host_of
from quotad.tokens.actor import actor_of
from quotad.tokens.roles import Right
from quotad.tokens.scopes import check_scope
from quotad.v1 import quota_pb2 as pb

CHECK_ONLY = int(Mode.CHECK_ONLY)

AUTHORIZATION = "authorization"
"""The metadata that a token comes in, as `Bearer qd_...`."""


def details(front: str) -> Details:
    """What calls must carry for it.

    On the native front the client's address costs 5 us a call, more than all that is looked up, so
    wrong tokens are counted there for all addresses together.
    """
    return Details((AUTHORIZATION,), origin=front != "native")


_CHECKS = ("GetEntitlement", "GetEntitlements", "ListSlots")
_NAMES = tuple(path.rpartition("/")[2] for path in METHODS)
_RIGHTS = tuple(Right.CHECK if name in _CHECKS else Right.CONSUME for name in _NAMES)
QUOTA_RIGHTS: Mapping[str, Right] = dict(zip(_NAMES, _RIGHTS, strict=True))
"""By hot method of `QuotaService`; what takes nothing needs `CHECK` alone."""
_MESSAGES: tuple[Any, ...] = tuple(getattr(pb, f"{name}Request") for name in _NAMES)

ADMIN_RIGHTS: Mapping[str, Right] = {
    "PublishCatalog": Right.PUBLISH,
    "PublishCatalogParts": Right.PUBLISH,
    "RollbackCatalog": Right.PUBLISH,
    "EraseCustomer": Right.ADMIN,
    "CreateToken": Right.ADMIN,
    "ListTokens": Right.ADMIN,
    "RotateToken": Right.ADMIN,
    "RevokeToken": Right.ADMIN,
    "AddWebhook": Right.ADMIN,
    "ListWebhooks": Right.ADMIN,
    "RotateWebhook": Right.ADMIN,
    "RemoveWebhook": Right.ADMIN,
    "TestWebhook": Right.ADMIN,
    "ListWebhookAttempts": Right.ADMIN,
    "ReplayWebhook": Right.ADMIN,
    "ImportCustomers": Right.MANAGE,
    "ProvisionCustomer": Right.MANAGE,
    "UpdateCustomer": Right.MANAGE,
    "ChangeSubscription": Right.MANAGE,
    "CancelSubscription": Right.MANAGE,
    "SetOverride": Right.MANAGE,
    "RemoveOverride": Right.MANAGE,
    "GrantPromotion": Right.MANAGE,
    "RevokePromotion": Right.MANAGE,
    "ArchiveCustomer": Right.MANAGE,
    "RollbackCustomer": Right.MANAGE,
    "RebuildUsage": Right.MANAGE,
    "DiffCatalog": Right.READ,
    "DiffCatalogParts": Right.READ,
    "GetCatalog": Right.READ,
    "ListCatalogVersions": Right.READ,
    "ExportCustomers": Right.READ,
    "GetInsights": Right.READ,
    "GetUsage": Right.READ,
    "GetCustomer": Right.READ,
    "ListCustomers": Right.READ,
    "ListSeenCustomers": Right.READ,
    "ListErasures": Right.READ,
    "ListCorrections": Right.READ,
    "ListCustomerChanges": Right.READ,
    "ListLedger": Right.READ,
    "AuditUsage": Right.READ,
    "GetStatus": Right.READ,
}
"""By method of the admin service; one that is not here needs every right."""


class Guard:
    """Checks calls against a table of tokens; for all threads.

    Args:
        table: of the store.
        among_ourselves: only this machine can call: it is told how the server is before the tokens
            were read, as where there is no store.
    """

    def __init__(self, table: TokenTable, among_ourselves: bool = False) -> None:
        self._table = table
        self._among_ourselves = among_ourselves
        self._access: Callable[[str, str | None], Access] = table.access

    def check(self, call: Call) -> Checked:
        """Refuse a hot call whose token does not give it.

        Returns:
            What looks at each request of the call, once it was read, and at those of other calls
            of its method with the same metadata that were taken with it, None: all are given; and
            the name of the token, empty: there is none.

        Raises:
            Unauthenticated, PermissionDenied, NotReady: as the table does.
        """
        method = call.method
        access = self._access(_shown(call), call.peer)
        right = _RIGHTS[method]
        if method in TOGETHER:
            if right in access.rights:
                return partial(_check_request, access) if access.scoped else None, access.name
            if Right.CHECK in access.rights:  # which is enough for what only asks
                return partial(_check_request, access), access.name
        access.check(right)
        if access.scoped:
            _check_scope(_NAMES[method], _MESSAGES[method], call.request, access)
        return None, access.name

    def actor(self, call: Call) -> str:
        """Return the actor of a hot call that was checked."""
        return actor_of(self._access(_shown(call), call.peer), call.peer, self._among_ourselves)

    def check_admin(self, name: str, request: Any, context: Any) -> str:
        """Return the actor of an admin method, if it may call it.

        Raises:
            Unauthenticated, PermissionDenied, NotReady: as the table does.
        """
        if name == "GetStatus" and self._among_ourselves and self._table.required is None:
            return LOCAL
        shown = dict(context.invocation_metadata()).get(AUTHORIZATION, "")
        peer = origin(context).peer
        access = self._access(shown, peer)
        access.check(ADMIN_RIGHTS.get(name, Right.ADMIN))
        if access.scoped:
            check_scope(access, name, request)
        return actor_of(access, peer, self._among_ourselves)

    def check_watch(self, customer_id: str, context: Any) -> Watcher:
        """Return who watches a customer, empty: everybody, if they may.

        Raises:
            Unauthenticated, PermissionDenied, NotReady: as the table does.
        """
        shown = dict(context.invocation_metadata()).get(AUTHORIZATION, "")
        peer = origin(context).peer
        access = self._access(shown, peer)
        check_may_watch(access, customer_id)
        name = watcher_name(access, customer_id, host_of(peer))
        return Watcher(name, lambda: self._table.refusal(access), Right.READ in access.rights)


def _shown(call: Call) -> str:
    """The token that a call has with it; empty: none."""
    return call.metadata[0][1] if call.metadata else ""


def _check_request(access: Access, request: ConsumeRequest) -> None:
    """Refuse what a request is about, or would take, that a token does not give."""
    if request.mode != CHECK_ONLY:
        access.check(Right.CONSUME)
    if access.scoped:
        check_scope(access, _NAMES[0], request)


def _check_scope(name: str, kind: Any, request: bytes, access: Access) -> None:
    """Refuse what a call is about that its token does not cover."""
    try:
        message = kind.FromString(request)
    except DecodeError:
        return  # refused as what it is
    check_scope(access, name, message)
