"""What a log line becomes: which customer asks for how much of which feature."""

from quotad.client.calls import Consumption
from quotad.model import ID_BYTES_MAX, QUANTITY_MAX
from quotad.replay.access_log import Format, LineError
from quotad.replay.template import Template


class Plan:
    """Turns lines of one format into requests by three templates.

    Raises:
        TemplateError: a template is malformed, or names a field that the format does not have.
    """

    def __init__(self, log_format: Format, customer: str, feature: str, quantity: str) -> None:
        self._parse = log_format.parse
        self._customer = Template(customer)
        self._feature = Template(feature)
        self._quantity = Template(quantity)
        if log_format.fields is not None:
            for template in (self._customer, self._feature, self._quantity):
                template.check(log_format.fields)

    def request(self, line: bytes) -> Consumption:
        """The request that a line stands for.

        Raises:
            LineError: the line cannot be read, or lacks a field, or makes no valid request.
        """
        record = self._parse(line)
        return Consumption(
            _id("customer", self._customer.render(record)),
            _id("feature", self._feature.render(record)),
            _quantity(self._quantity.render(record)),
        )


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


def _quantity(text: str) -> int:
    if text == "-":  # how access logs write that no bytes were sent
        return 0
    try:
        quantity = int(text)
    except ValueError:
        raise LineError(f"quantity {text[:40]!r} is not a whole number") from None
    if abs(quantity) > QUANTITY_MAX:
        raise LineError(f"quantity {quantity} is beyond {QUANTITY_MAX}")
    return quantity
