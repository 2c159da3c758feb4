"""What changes, as those who watch are told of it."""

from enum import StrEnum

import msgspec


class ChangeKind(StrEnum):
    """What has changed."""

    CUSTOMER_CHANGED = "CUSTOMER_CHANGED"
    """A customer was written: its plan, add-ons, overrides, promotions or anything else."""
    CUSTOMER_ERASED = "CUSTOMER_ERASED"
    CATALOG_CHANGED = "CATALOG_CHANGED"
    """Another version came into force: anything may be different for every customer."""
    USAGE_CHANGED = "USAGE_CHANGED"
    """Something was counted or given back."""
    REFETCH = "REFETCH"
    """Changes may have been missed: everything held is to be read again."""
    POSITION = "POSITION"
    """Nothing has changed; a later position."""


class ChangeEvent(msgspec.Struct, frozen=True):
    """One change."""

    kind: ChangeKind
    at_ms: int
    """When (Unix ms, by the store's clock)."""
    customer_id: str = ""
    epoch: int = 0
    """Of the customer after the write."""
    catalog_version: int = 0
    feature_id: str = ""
    """Whose usage has changed."""
    resource_id: str = ""
    """Of the customer's, whose usage has changed; empty: its own."""
    actor: str = ""
    """Whose doing it was; empty: of usage, or not known."""
    position: str = ""
    """Where listening may go on after it."""
