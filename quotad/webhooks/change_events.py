"""Events about changes of customers and catalogs, made of what the streams of changes have."""

from quotad.changes import ChangeEvent, ChangeKind
from quotad.webhooks.event_types import CATALOG_PUBLISHED, CUSTOMER_CHANGED, CUSTOMER_ERASED
from quotad.webhooks.events import WebhookEvent, event_id

_TYPES = {
    ChangeKind.CUSTOMER_CHANGED: CUSTOMER_CHANGED,
    ChangeKind.CUSTOMER_ERASED: CUSTOMER_ERASED,
    ChangeKind.CATALOG_CHANGED: CATALOG_PUBLISHED,
}


def event_of(change: ChangeEvent, *place: str | int) -> WebhookEvent | None:
    """The event of a change; None: there is none.

    Args:
        change: what has changed.
        place: where it was read, which is the same whenever it is.
    """
    event_type = _TYPES.get(change.kind)
    if event_type is None:
        return None
    if event_type == CATALOG_PUBLISHED:
        data: dict[str, object] = {"catalog_version": change.catalog_version}
    else:
        data = {"customer_id": change.customer_id, "epoch": change.epoch or None}
    data["actor"] = change.actor or None
    return WebhookEvent(event_id("change", *place), event_type, change.at_ms, data)
