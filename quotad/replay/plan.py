"""What a log line becomes: which customer asks for how much of which feature."""

from quotad.client.calls import Consumption
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
            LineError: the line cannot be read, or lacks a field.
        """
        record = self._parse(line)
        return Consumption(
            self._customer.render(record),
            self._feature.render(record),
            _whole_number(self._quantity.render(record)),
        )


def _whole_number(text: str) -> int:
    if text == "-":  # how access logs write that no bytes were sent
        return 0
    try:
        return int(text)
    except ValueError:
        raise LineError(f"quantity {text!r} is not a whole number") from None
