"""What an event of a caller counts: its feature, how much of it, and which events do at all."""

from collections.abc import Mapping

import msgspec

from quotad.errors import InvalidRequest
from quotad.model import QUANTITY_MAX

Dimension = str | int | bool
"""A value that a condition compares with."""


class EventMeter(msgspec.Struct, frozen=True, gc=False):
    """How events of one name are counted."""

    event_name: str
    feature_id: str
    quantity: int = 1
    """Of each event, where no field says it."""
    field: str = ""
    """The event's field that has the quantity; empty: none."""
    where: dict[str, tuple[Dimension, ...]] = {}
    """By field of the event: the values of those that count. All must hold."""

    def quantity_of(self, fields: Mapping[str, object]) -> int:
        """Return how much an event counts; 0: it does not.

        Args:
            fields: of the event, in JSON values.

        Raises:
            InvalidRequest: the field that has the quantity is not there, or no whole number.
        """
        for name, values in self.where.items():
            if not any(_same(fields.get(name), value) for value in values):
                return 0
        if not self.field:
            return self.quantity
        value = fields.get(self.field)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= QUANTITY_MAX:
            return value
        what = "is missing" if value is None else f"is {value!r:.60}"
        raise InvalidRequest(
            f"{self.field}: {what}; events {self.event_name!r} need a whole number from 0 to"
            f" {QUANTITY_MAX:,} there"
        )


def _same(found: object, value: Dimension) -> bool:
    """Whether they are the same value of JSON, where true is no number."""
    return isinstance(found, bool) is isinstance(value, bool) and found == value
