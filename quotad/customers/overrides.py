"""Changes to a customer's overrides and promotions: from the record before to the one after."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from quotad.catalog import Snapshot, parse_entry_value
from quotad.customers.checks import OVERRIDES_MAX, PROMOTIONS_MAX, feature_named, listed
from quotad.customers.settle import settled, with_default_plan
from quotad.entitlements.phases import no_earlier_than_written
from quotad.entitlements.resolve import resolve
from quotad.errors import InvalidRequest, NotFound
from quotad.model import Entitlement, Entry, Feature, MeterKind, Window
from quotad.records import CustomerRecord, Override, Promotion

E = TypeVar("E", Override, Promotion)


class NewEntitlement(msgspec.Struct, frozen=True):
    """The entitlement of a customer to a feature, as requested."""

    feature_id: str
    value: object
    """As a catalog spells it, in values of JSON."""
    resource_id: str = ""
    end_ms: int | None = None
    """Unix time; only of promotions. None: no end."""
    start_ms: int | None = None
    """Unix time; None: at once."""


def set_override(
    record: CustomerRecord, wanted: NewEntitlement, snapshot: Snapshot, now_ms: int
) -> CustomerRecord:
    """Give a customer this much of a feature instead of everything else; `false` revokes it.

    A customer without a record gets one, with the default plan as its subscription.

    Raises:
        InvalidRequest: no such feature, a value that does not fit it, or too many overrides.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    record = settled(with_default_plan(record, snapshot, now_ms), now_ms)
    entry = _entry(record, wanted, snapshot, now_ms)
    others = _but(record.overrides, wanted.feature_id, wanted.resource_id)
    if len(others) >= OVERRIDES_MAX:
        raise InvalidRequest(
            f"feature_id: {record.customer_id!r} has {OVERRIDES_MAX} overrides, the most a"
            " customer may have; remove one first"
        )
    start_ms = _to_come(wanted, now_ms)
    override = Override(wanted.feature_id, entry, wanted.resource_id, start_ms)
    return replace(record, overrides=(*others, override), updated_ms=now_ms)


def remove_override(
    record: CustomerRecord, feature_id: str, resource_id: str, now_ms: int
) -> CustomerRecord:
    """Let a customer have again what it has without the override.

    Raises:
        NotFound: there is no such override.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    record = settled(record, now_ms)
    others = _but(record.overrides, feature_id, resource_id)
    if len(others) == len(record.overrides):
        raise _nothing(record, "override", feature_id, resource_id)
    return replace(record, overrides=others, updated_ms=now_ms)


def grant_promotion(
    record: CustomerRecord, wanted: NewEntitlement, snapshot: Snapshot, now_ms: int
) -> CustomerRecord:
    """Give a customer this much of a feature for a time, where it is more than the rest.

    Granting again replaces. A customer without a record gets one, with the default plan as its
    subscription.

    Raises:
        InvalidRequest: no such feature, a value that does not fit it, an end that has passed, or
            too many promotions.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    record = settled(with_default_plan(record, snapshot, now_ms), now_ms)
    if wanted.end_ms is not None and wanted.end_ms <= now_ms:
        raise InvalidRequest("end: the promotion would be over; give a later end")
    start_ms = _to_come(wanted, now_ms)
    if start_ms is not None and wanted.end_ms is not None and wanted.end_ms <= start_ms:
        raise InvalidRequest("end: must be later than the start")
    # Laid over what there is without overrides, and so in its window.
    laid_over = _without_overrides(record, wanted.feature_id)
    entry = _entry(laid_over, wanted, snapshot, now_ms)
    if not entry.granted:
        raise InvalidRequest(
            "entitlement: a promotion cannot take a feature away; set an override instead"
        )
    others = _but(record.promotions, wanted.feature_id, wanted.resource_id)
    if len(others) >= PROMOTIONS_MAX:
        raise InvalidRequest(
            f"feature_id: {record.customer_id!r} has {PROMOTIONS_MAX} promotions, the most a"
            " customer may have; revoke one first"
        )
    promotion = Promotion(wanted.feature_id, entry, wanted.end_ms, wanted.resource_id, start_ms)
    return replace(record, promotions=(*others, promotion), updated_ms=now_ms)


def revoke_promotion(
    record: CustomerRecord, feature_id: str, resource_id: str, now_ms: int
) -> CustomerRecord:
    """End a promotion now.

    Raises:
        NotFound: there is no such promotion, or it has ended.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    record = settled(record, now_ms)
    others = _but(record.promotions, feature_id, resource_id)
    if len(others) == len(record.promotions):
        raise _nothing(record, "promotion", feature_id, resource_id)
    return replace(record, promotions=others, updated_ms=now_ms)


def _to_come(wanted: NewEntitlement, now_ms: int) -> int | None:
    """The start, where it has not passed."""
    start_ms = wanted.start_ms
    return start_ms if start_ms is not None and start_ms > now_ms else None


def _entry(
    record: CustomerRecord, wanted: NewEntitlement, snapshot: Snapshot, now_ms: int
) -> Entry:
    """What is wanted, with the window that it does not name."""
    feature = feature_named(snapshot, wanted.feature_id)
    _check_resource(record, wanted.resource_id)
    entry = parse_entry_value(feature, wanted.value)
    if not lacks_window(feature, wanted.value) or not entry.limits:
        return entry
    window = _window_in_force(record, wanted, snapshot, now_ms)
    return replace(entry, limits=tuple(replace(x, window=window) for x in entry.limits))


def lacks_window(feature: Feature, value: object) -> bool:
    """Whether a value leaves open which window its limit is for: `{limit: 5}`.

    Below `limits` everything is written out, so there a limit without a window is for life.
    """
    if not isinstance(value, dict) or feature.kind is not MeterKind.COUNTER:
        return False
    return "limits" not in value and "per" not in value


def _window_in_force(
    record: CustomerRecord, wanted: NewEntitlement, snapshot: Snapshot, now_ms: int
) -> Window | None:
    """The window of the entitlement that another takes the place of."""
    feature_id = wanted.feature_id
    replaced = _in_force(record, wanted, snapshot, now_ms)
    if replaced is not None and replaced.revoked:
        record = _without_overrides(record, feature_id)
        replaced = _in_force(record, wanted, snapshot, now_ms)
    if replaced is None or not replaced.limits:
        raise InvalidRequest(
            f"entitlement: {record.customer_id!r} has no limit of {feature_id!r} whose period"
            ' this one could keep; say per, such as {"limit": 5, "per": "month"}'
        )
    if len(replaced.limits) > 1:
        pers = listed([x.window.per if x.window else "lifetime" for x in replaced.limits])
        raise InvalidRequest(
            f"entitlement: {record.customer_id!r} has several limits of {feature_id!r} ({pers});"
            " say per, or list all of them below limits"
        )
    return replaced.limits[0].window


def _without_overrides(record: CustomerRecord, feature_id: str) -> CustomerRecord:
    others = tuple(each for each in record.overrides if each.feature_id != feature_id)
    return replace(record, overrides=others)


def _in_force(
    record: CustomerRecord, wanted: NewEntitlement, snapshot: Snapshot, now_ms: int
) -> Entitlement | None:
    # Archiving takes everything away for the time being, and the windows with it.
    brought_back = replace(record, archived=False)
    effective = resolve(brought_back, snapshot, now_ms, record.customer_id, wanted.resource_id)
    return effective.entitlements.get(wanted.feature_id)


def _check_resource(record: CustomerRecord, resource_id: str) -> None:
    known = {phase.resource_id for phase in record.subscriptions} - {""}
    if resource_id and resource_id not in known:
        hint = f"it has them for {listed(sorted(known))}" if known else "it has them for none"
        raise InvalidRequest(
            f"resource_id: {record.customer_id!r} has no subscription for {resource_id!r}; {hint}"
        )


def _but(entries: Sequence[E], feature_id: str, resource_id: str) -> tuple[E, ...]:
    named = (feature_id, resource_id)
    return tuple(each for each in entries if (each.feature_id, each.resource_id) != named)


def _nothing(record: CustomerRecord, what: str, feature_id: str, resource_id: str) -> NotFound:
    """Return the refusal of an unknown override or promotion; it lists those that there are."""
    entries = record.overrides if what == "override" else record.promotions
    of = f" for the resource {resource_id!r}" if resource_id else ""
    known = sorted(
        each.feature_id + (f" for {each.resource_id}" if each.resource_id else "")
        for each in entries
    )
    hint = f"it has {listed(known)}" if known else "it has none"
    return NotFound(
        f"feature_id: {record.customer_id!r} has no {what} of {feature_id!r}{of}; {hint}"
    )
