"""Customers as messages, and entitlements as the JSON values that they hold."""

from google.protobuf.struct_pb2 import Value

from quotad.catalog import Snapshot, entry_value
from quotad.entitlements.phases import PhaseStatus, is_over, no_earlier_than_written, statuses
from quotad.model import CALENDAR, StoredCustomer, Subscription
from quotad.service.encode import timestamp
from quotad.v1 import admin_pb2 as pb


def customer_message(stored: StoredCustomer, snapshot: Snapshot | None, now_ms: int) -> pb.Customer:
    """A provisioned customer as a message.

    Args:
        stored: with a record.
        snapshot: the catalog in force, whose features tell how entitlements are spelled.
        now_ms: Unix time; what has ended by then is said to have, or left out.
    """
    record = stored.record
    assert record is not None
    now_ms = no_earlier_than_written(record, now_ms)
    features = {} if snapshot is None else snapshot.features
    archived = record.archived
    message = pb.Customer(
        customer_id=record.customer_id,
        status=pb.CUSTOMER_STATUS_ARCHIVED if archived else pb.CUSTOMER_STATUS_ACTIVE,
        subscriptions=map(_subscription, record.subscriptions, statuses(record, now_ms)),
        epoch=stored.epoch,
        created_at=timestamp(record.created_ms),
        updated_at=timestamp(record.updated_ms),
        name=record.name,
    )
    for override in record.overrides:
        message.overrides.add(
            feature_id=override.feature_id,
            resource_id=override.resource_id,
            entitlement=value_message(
                entry_value(override.entry, features.get(override.feature_id))
            ),
        )
    for promotion in record.promotions:
        if not is_over(promotion, now_ms):
            message.promotions.add(
                feature_id=promotion.feature_id,
                resource_id=promotion.resource_id,
                entitlement=value_message(
                    entry_value(promotion.entry, features.get(promotion.feature_id))
                ),
                end=timestamp(promotion.end_ms),
            )
    return message


def value_message(value: object) -> Value:
    """A JSON value as a message."""
    message = Value()
    if value is None:
        message.null_value = 0  # type: ignore[assignment]
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, dict):
        message.struct_value.fields.update({})
        for key, item in value.items():
            message.struct_value.fields[key].CopyFrom(value_message(item))
    elif isinstance(value, (list, tuple)):
        message.list_value.values.extend(value_message(item) for item in value)
    else:
        message.number_value = float(value)  # type: ignore[arg-type]
    return message


def plain_value(message: Value) -> object:
    """The JSON value of a message; all numbers are floats."""
    kind = message.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "struct_value":
        return {key: plain_value(item) for key, item in message.struct_value.fields.items()}
    if kind == "list_value":
        return [plain_value(item) for item in message.list_value.values]
    value: object = getattr(message, kind)
    return value


def _subscription(phase: Subscription, status: PhaseStatus) -> pb.Subscription:
    return pb.Subscription(
        plan_id=phase.plan_id,
        start=timestamp(phase.start_ms),
        subscription_id=phase.subscription_id,
        resource_id=phase.resource_id,
        revision=phase.revision,
        addons=phase.addons,
        end=timestamp(phase.end_ms),
        anchor=None if phase.anchor == CALENDAR else timestamp(phase.anchor),
        status=int(status),  # type: ignore[arg-type]
    )
