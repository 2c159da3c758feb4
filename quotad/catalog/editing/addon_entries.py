"""An entry of an add-on as a form has it: read from what is written, and written back."""

from typing import Any

import msgspec

from quotad.catalog.editing.changes import GONE, NoValue
from quotad.catalog.editing.entries import config_value
from quotad.catalog.editing.typed import typed_period, typed_whole
from quotad.catalog.parse_addon import LIFETIME
from quotad.errors import InvalidRequest
from quotad.model import Feature, FeatureType, MeterKind

ADD, SET, UNLIMITED, ON, VALUE, NOTHING = "add", "set", "unlimited", "on", "value", ""
"""What an add-on gives of a feature."""


class AddOnRow(msgspec.Struct, frozen=True):
    """What an add-on gives of one feature."""

    what: str = NOTHING
    amount: str = ""
    """To add, or to set."""
    per: str = ""
    """Which limit of the plan the amount is about; empty: its only one."""
    value: str = ""
    """Of a config feature."""


def choices(feature: Feature) -> tuple[str, ...]:
    """What an add-on may give of a feature."""
    if feature.type is FeatureType.METERED:
        paid = (ON,) if feature.credit is not None else ()
        return (ADD, SET, UNLIMITED, *paid)
    return (ON,) if feature.type is FeatureType.BOOLEAN else (VALUE,)


def read_addon_entry(written: Any, feature: Feature) -> AddOnRow:
    """Return an entry as a form shows it.

    Args:
        written: what the file has; GONE: nothing.
        feature: of which.
    """
    if isinstance(written, NoValue):
        return AddOnRow()
    if feature.type is FeatureType.BOOLEAN:
        return AddOnRow(ON)
    if feature.type is FeatureType.CONFIG:
        value = written.get("value", "") if isinstance(written, dict) else written
        listed = value if isinstance(value, list) else [value]
        return AddOnRow(VALUE, value=", ".join(map(str, listed)))
    if not isinstance(written, dict):
        return AddOnRow(ON if written is True else UNLIMITED)
    what = ADD if ADD in written else SET if SET in written else UNLIMITED
    amount = written.get(what, "")
    if isinstance(amount, dict):
        amount = amount.get("per_unit", "")
    text = f"{amount:,}" if type(amount) is int else str(amount)
    return AddOnRow(what, "" if what == UNLIMITED else text, str(written.get("per", "")))


def write_addon_entry(row: AddOnRow, feature: Feature, written: Any, index: int = 0) -> Any:
    """Return what the file is to have; GONE: no entry.

    Args:
        row: as it was sent.
        feature: of which.
        written: what the file has now; what the form does not show stays as it was written.
        index: of the row, which is in the names of its fields.

    Raises:
        InvalidRequest: it cannot be what it was sent as.
    """
    if row.what == NOTHING:
        return GONE
    if row == read_addon_entry(written, feature):
        return written
    if row.what not in choices(feature):
        raise InvalidRequest(
            f"what{index}: an add-on cannot give {row.what!r} of {feature.feature_id!r}"
        )
    if row.what == ON:
        return True
    if row.what == UNLIMITED:
        return "unlimited"
    if row.what == VALUE:
        return config_value(row.value, feature, written, f"value{index}")
    if not row.amount:
        raise InvalidRequest(f"number{index}: missing; how much is it?")
    old = written if isinstance(written, dict) else {}
    amount: Any = typed_whole(f"number{index}", row.amount)
    if any(isinstance(old.get(each), dict) for each in (ADD, SET)):
        amount = {"per_unit": amount}
    rest = {name: value for name, value in old.items() if name not in (ADD, SET, UNLIMITED, "per")}
    entry = {row.what: amount, **rest}
    if row.per and feature.kind is MeterKind.COUNTER:
        lifetime = row.per == LIFETIME
        entry["per"] = row.per if lifetime else typed_period(f"per{index}", row.per)
    return entry
