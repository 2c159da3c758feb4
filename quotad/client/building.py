"""Building requests: what a field cannot hold is the caller's mistake, and named."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor

from quotad.client.errors import QuotaInvalid
from quotad.model import QUANTITY_MAX
from quotad.records import ADDON_QUANTITY_MAX

_Message = TypeVar("_Message")

_MOST = {
    "quantity": QUANTITY_MAX,
    "used": QUANTITY_MAX,
    "addons": ADDON_QUANTITY_MAX,
    "quantities": ADDON_QUANTITY_MAX,
}
"""What a server lets a field hold."""


_TYPES = {
    FieldDescriptor.CPPTYPE_STRING: ("a text", "texts"),
    FieldDescriptor.CPPTYPE_INT32: ("a whole number", "whole numbers"),
    FieldDescriptor.CPPTYPE_INT64: ("a whole number", "whole numbers"),
    FieldDescriptor.CPPTYPE_BOOL: ("true or false", "true or false"),
}
"""What the fields of requests hold."""


def checked(message: Callable[..., _Message], **fields: Any) -> _Message:
    """Build a request; a value that its field cannot hold is the caller's mistake.

    Raises:
        QuotaInvalid: a number outside 64 bits, text that is not Unicode, or another type.
    """
    try:
        return message(**fields)
    except (ValueError, TypeError):
        problem = _problem(message, fields)
    raise QuotaInvalid(problem, code="INVALID_ARGUMENT", reason="INVALID_REQUEST")


def _problem(message: Callable[..., Any], fields: dict[str, Any]) -> str:
    """Which field cannot hold its value; protobuf does not name it."""
    for name, value in fields.items():
        try:
            message(**{name: value})
        except UnicodeError:
            return f"{name}: is not valid Unicode"
        except ValueError as error:
            number = str(error).removeprefix("Value out of range: ")
            if number == str(error):
                return f"{name}: {error}"
            most = _MOST.get(name)
            field = "addons" if name == "quantities" else name
            return f"{field}: {number} is out of range" + (f"; at most {most:,}" if most else "")
        except TypeError:
            return f"{name}: must be {_wanted(message, name)}, not {value!r:.60}"
    return "the request cannot be built"


def _wanted(message: Any, name: str) -> str:
    """What a field holds, in words."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.cpp_type not in _TYPES:
        return "of the type that the field has"
    one, many = _TYPES[field.cpp_type]
    return f"a list of {many}" if field.is_repeated else one


def check_values(values: Sequence[str]) -> None:
    """Raise QuotaInvalid for a text where a list of them is wanted."""
    if isinstance(values, str):  # also a sequence of texts: its letters
        problem = f"requested_values: must be a list, not the text {values!r}"
        raise QuotaInvalid(problem, code="INVALID_ARGUMENT", reason="INVALID_REQUEST")
