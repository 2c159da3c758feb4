"""What is stored of customers and catalogs, shared by every room."""

import msgspec

from quotad.model import Entry

ADDON_QUANTITY_MAX = 1_000_000
"""Most of one add-on, and largest `max_quantity`."""

UNIT_QUANTITY_MAX = 1_000_000_000
"""Most units of one subscription, what its limits per unit are multiplied by."""

CALENDAR = -(1 << 62)
"""In place of an anchor: billing periods are those of the calendar, as of a customer without a
subscription. Before every time that can be written."""


class Subscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """One phase of a customer's contract for a plan.

    A subscription is the phases with the same `resource_id` and `subscription_id`; the last that
    has started is the one in force, until its end or the start of the next. A change that waits
    is a phase that starts later; a trial is a phase with an end, and what follows it another.
    """

    plan_id: str
    start_ms: int
    """Unix time."""
    subscription_id: str = ""
    """Sets several of one customer apart."""
    resource_id: str = ""
    """What of the customer's it is for, a workspace or a project; empty: the customer."""
    end_ms: int | None = None
    """None: no end."""
    anchor_ms: int | None = None
    """What its billing periods are aligned to, also `CALENDAR`; None: `start_ms`."""
    revision: int = 1
    """Of the plan; where the plan has no such revision any more, its latest."""
    addons: dict[str, int] = {}
    """Quantity by add-on id."""
    trial: bool = False
    resets_usage: bool = False
    """Of a phase that had not started when it was written: usage starts at 0 with it."""
    resets_until_ms: int = 0
    """Of one that resets usage: when the billing period ends in which it does, or its trial; until
    then nothing else does."""
    unit_quantity: int = 1
    """What was bought of the plan, such as seats: limits per unit are multiplied by it."""
    external_ids: dict[str, str] = {}
    """Ids of the subscription in other systems, by system (`stripe`)."""

    @property
    def anchor(self) -> int:
        """Unix time that the billing periods are aligned to, or `CALENDAR`."""
        return self.start_ms if self.anchor_ms is None else self.anchor_ms


class Override(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer has of a feature instead of everything else."""

    feature_id: str
    entry: Entry
    resource_id: str = ""
    """Only for this resource; empty: for the customer and all its resources without their own."""
    start_ms: int | None = None
    """In Unix time; before, it counts as not written. None: it has started."""


class Promotion(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer has of a feature for a time, where it is more than the rest."""

    feature_id: str
    entry: Entry
    end_ms: int | None = None
    """None: no end."""
    resource_id: str = ""
    """Only for this resource; empty: for the customer and all its resources."""
    start_ms: int | None = None
    """In Unix time; None: it has started."""


class CustomerRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of a provisioned customer."""

    customer_id: str
    subscriptions: tuple[Subscription, ...] = ()
    archived: bool = False
    created_ms: int = 0
    updated_ms: int = 0
    overrides: tuple[Override, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    resets: dict[str, int] = {}
    """By resource id: how often a plan change has reset usage, without the phases that did not
    start yet when this was written; see `phases.generation`."""
    reset_until: dict[str, int] = {}
    """By resource id: when the billing period ends in which a plan change has reset usage."""
    name: str = ""
    """For people to find the customer by; nothing else depends on it."""
    email: str = ""
    timezone: str = ""
    """Of the tz database; empty: unknown."""
    metadata: dict[str, str] = {}
    """For callers; nothing depends on it."""
    external_ids: dict[str, str] = {}
    """Ids of the customer in other systems, by system (`stripe`)."""
    experiments: tuple[str, ...] = ()
    """Those for new customers that were running when the record was made."""
    updated_by: str = ""
    """Whose doing the last write was; empty: of a server that kept no such thing."""


class StoredCustomer(msgspec.Struct, frozen=True):
    """A customer as read from the store; without a record it was never provisioned."""

    epoch: int
    """Time of the last write (Unix ms), or more; grows with each. 0: never provisioned."""
    record: CustomerRecord | None


class CatalogRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One published version of the catalog, as stored."""

    version: int
    digest: str
    document: bytes
    """Canonical JSON."""
    published_ms: int
    published_by: str = ""
    """As the publisher calls itself."""
    actor: str = ""
    """Whose doing it was: name of the token; empty: of a server that kept no such thing."""
    comment: str = ""
    """Why it was published, as the publisher wrote it."""
