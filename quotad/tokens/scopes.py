"""Whether a token covers what an operation is about; one rule for all edges."""

from typing import Any

from quotad.tokens.access import Access

OF_NO_CUSTOMER = frozenset(
    ("DiffCatalog", "DiffCatalogParts", "GetCatalog", "GetStatus", "ListCatalogVersions")
)
"""Operations that say nothing of customers."""

OF_WHAT_IS_HELD = frozenset(
    ("Commit", "Extend", "Heartbeat", "Release", "ReleaseLease", "ReleaseSlot", "RenewLease")
)
"""Operations that name what their caller holds of a customer, and with it the features."""


def check_scope(access: Access, operation: str, about: Any) -> None:
    """Refuse a call about a customer or a feature that its token does not cover.

    A call about a customer that names no feature is about all of them.

    Args:
        access: what the token gives.
        operation: its name, as of the RPC.
        about: the request; features are in `feature_id`, `items` and `also`. None: it names none.

    Raises:
        PermissionDenied: it does not cover them.
    """
    if operation in OF_NO_CUSTOMER:
        return
    customer_id = getattr(about, "customer_id", "") or None
    if operation in OF_WHAT_IS_HELD:
        access.check_customer(customer_id)
        return
    several = [*(getattr(about, "items", None) or ()), *(getattr(about, "also", None) or ())]
    features = {each.feature_id for each in (about, *several) if hasattr(each, "feature_id")}
    if several:
        features.discard("")  # of the whole, where only its parts name features
    for feature_id in features or {""}:
        access.check_covers(customer_id, feature_id)
