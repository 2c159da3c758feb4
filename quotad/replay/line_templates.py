"""What a log line becomes: which customer asks for how much of which feature."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from quotad.client.calls import Consumption
from quotad.decision import ID_BYTES_MAX
from quotad.model import QUANTITY_MAX
from quotad.replay.access_log import LineError, Record
from quotad.replay.formats import Format
from quotad.replay.template import Template

_DIGITS_MAX = 60
"""Longest number with a fraction that is looked at."""


class LineTemplates:
    """Turns lines of one format into requests by three templates.

    Raises:
        TemplateError: a template is malformed, or names a field that the format does not have.
    """

    def __init__(self, log_format: Format, customer: str, feature: str, quantity: str) -> None:
        self.parse = log_format.parse
        """Reads a line; raises LineError."""
        self.decimals: Mapping[str, int] = {}
        """Of features whose quantities have decimals: those of the log are whole units of such a
        feature or parts of one, and are scaled by it."""
        self.left_out = log_format.left_out
        """Lines that were read and are no calls, by what they are."""
        self._fields = log_format.fields
        self._in_parts = log_format.in_parts
        self._resource = log_format.resource
        self._customer = self.template(customer)
        self._feature = self.template(feature)
        self._quantity = self.template(quantity)

    @property
    def feature_id(self) -> str | None:
        """The feature of every line; None when the lines decide."""
        return None if self._feature.fields else self._feature.render({})

    def request(self, line: bytes) -> Consumption:
        """The request that a line stands for.

        Raises:
            LineError: the line cannot be read, or lacks a field, or makes no valid request.
        """
        record = self.parse(line)
        return Consumption(*self.parts(record), resource_id=self.resource_id(record))

    def template(self, text: str) -> Template:
        """Another template for the records of this format.

        Raises:
            TemplateError: it is malformed, or names a field that the format does not have.
        """
        template = Template(text)
        if self._fields is not None:
            template.check(self._fields)
        return template

    def parts(self, record: Record) -> tuple[str, str, int]:
        """Customer, feature and quantity of a record.

        Raises:
            LineError: the record lacks a field, or makes no valid request.
        """
        customer_id = _id("customer", self._customer.render(record))
        feature_id = _id("feature", self._feature.render(record))
        decimals = 0 if self._in_parts else self.decimals.get(feature_id, 0)
        return customer_id, feature_id, _quantity(self._quantity.render(record), decimals)

    def resource_id(self, record: Record) -> str:
        """What of the customer's a record is about; empty: the customer.

        Raises:
            LineError: it is no valid id.
        """
        found = record.get(self._resource, "") if self._resource else ""
        return _id("resource", str(found)) if found else ""


# One request of a wrong shape makes the server refuse the whole batch it comes in, so an odd line
# must not get that far.


def _id(what: str, text: str) -> str:
    if not text:
        raise LineError(f"{what} id is empty")
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    if size > ID_BYTES_MAX:
        raise LineError(f"{what} id of {size} bytes; at most {ID_BYTES_MAX} are allowed")
    if not text.isprintable():
        raise LineError(f"{what} id {text[:40]!r} has characters that cannot be printed")
    return text


def _quantity(text: str, decimals: int) -> int:
    if text == "-":  # how access logs write that no bytes were sent
        return 0
    try:
        quantity = int(text)
        if decimals:
            quantity *= int(10**decimals)
    except ValueError:
        quantity = _scaled(text, decimals)
    if abs(quantity) > QUANTITY_MAX:
        raise LineError(f"quantity {text[:40]} is beyond {QUANTITY_MAX // 10**decimals}")
    return quantity


def _scaled(text: str, decimals: int) -> int:
    """A number with a fraction, in parts of its feature."""
    try:
        number = Decimal(text[:_DIGITS_MAX])
    except InvalidOperation:
        raise LineError(f"quantity {text[:40]!r} is not a number") from None
    if not number.is_finite() or len(text) > _DIGITS_MAX or abs(number.adjusted()) > _DIGITS_MAX:
        raise LineError(f"quantity {text[:40]!r} is not a number of a size to count")
    scaled = number.scaleb(decimals)
    if scaled != int(scaled):
        if not decimals:
            raise LineError(f"quantity {text[:40]!r} is not a whole number")
        raise LineError(f"quantity {text[:40]!r} has more than {decimals} decimals")
    return int(scaled)
