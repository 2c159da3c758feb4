"""Customers as messages, and entitlements as the JSON values that they hold."""

from google.protobuf.struct_pb2 import Value

from quotad.entitlements.phases import PhaseStatus
from quotad.operations.shown_customers import ShownCustomer
from quotad.records import CALENDAR, Subscription
from quotad.service.encode import timestamp
from quotad.v1 import admin_pb2 as pb


def customer_message(customer: ShownCustomer) -> pb.Customer:
    """A customer as a message."""
    record = customer.record
    return pb.Customer(
        customer_id=record.customer_id,
        status=pb.CUSTOMER_STATUS_ARCHIVED if record.archived else pb.CUSTOMER_STATUS_ACTIVE,
        subscriptions=map(_subscription, record.subscriptions, customer.statuses),
        epoch=customer.epoch,
        created_at=timestamp(record.created_ms),
        updated_at=timestamp(record.updated_ms),
        name=record.name,
        email=record.email,
        timezone=record.timezone,
        metadata=record.metadata,
        external_ids=record.external_ids,
        experiments=record.experiments,
        updated_by=record.updated_by,
        overrides=[
            pb.Override(
                feature_id=each.feature_id,
                resource_id=each.resource_id,
                entitlement=value_message(each.value),
                start=timestamp(each.start_ms),
            )
            for each in customer.overrides
        ],
        promotions=[
            pb.Promotion(
                feature_id=each.feature_id,
                resource_id=each.resource_id,
                entitlement=value_message(each.value),
                end=timestamp(each.end_ms),
                start=timestamp(each.start_ms),
            )
            for each in customer.promotions
        ],
    )


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
        unit_quantity=phase.unit_quantity,
        external_ids=phase.external_ids,
    )
