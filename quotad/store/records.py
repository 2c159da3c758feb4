"""Records of customers and catalogs as stored: msgpack, with the defaults left out."""

import re
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from quotad.errors import Damaged, RecordLost, StoreError
from quotad.records import CatalogRecord, CustomerRecord, StoredCustomer
from quotad.store.damage import report_damage
from quotad.store.keys import CustomerKeys

_EPOCH = re.compile(rb"0|[1-9]\d{0,14}").fullmatch
"""What the scripts read as an epoch, too."""

NOBODY = StoredCustomer(epoch=0, record=None)
"""A customer that was never provisioned."""


def _enc_hook(value: Any) -> str:
    """Write a time zone as its name."""
    if isinstance(value, ZoneInfo):
        return value.key
    raise TypeError(f"a customer record cannot hold a {type(value).__name__}")


def _dec_hook(kind: type, value: Any) -> ZoneInfo:
    """Read a time zone by its name."""
    if kind is ZoneInfo:
        return ZoneInfo(value)
    raise TypeError(f"a customer record cannot hold a {kind.__name__}")


encode_customer = msgspec.msgpack.Encoder(enc_hook=_enc_hook).encode
decode_customer = msgspec.msgpack.Decoder(CustomerRecord, dec_hook=_dec_hook).decode
"""Fields that a newer server has written are passed over, those that an older one did not know
have their defaults."""

encode_catalog = msgspec.msgpack.Encoder().encode
_read_catalog = msgspec.msgpack.Decoder(CatalogRecord).decode


def decode_catalog(raw: bytes) -> CatalogRecord:
    """Read the record of a catalog version.

    Raises:
        RecordLost: it is damaged.
    """
    try:
        return _read_catalog(raw)
    except msgspec.MsgspecError as error:
        raise RecordLost(f"a record of a catalog version cannot be read: {error}") from error


def names_of(customers: Sequence[CustomerKeys]) -> list[str]:
    """The keys that hold epochs and records of customers."""
    names: list[str] = []
    for keys in customers:
        names += (keys.epoch, keys.record)
    return names


def parse_customers(
    customers: Sequence[CustomerKeys], values: Sequence[Any]
) -> list[StoredCustomer | StoreError]:
    """What is at `names_of`; a record that cannot be read is an error in its place, and so is why
    its server did not answer."""
    found: list[StoredCustomer | StoreError] = []
    for keys, epoch, raw in zip(customers, values[::2], values[1::2], strict=True):
        if isinstance(raw, StoreError):
            found.append(raw)
            continue
        number = parse_epoch(keys, epoch)
        if raw is None:
            # A record that is gone leaves its epoch, which writers and decisions compare.
            found.append(StoredCustomer(number, None) if number else NOBODY)
            continue
        try:
            found.append(StoredCustomer(number, decode_customer(raw)))
        except (ValueError, KeyError) as error:  # what msgspec raises is a ValueError
            report_damage(keys.record, f"it holds no customer record: {error}")
            found.append(Damaged(f"the record of {keys.customer_id!r} is damaged in the store"))
    return found


def parse_epoch(keys: CustomerKeys, value: bytes | None) -> int:
    """An epoch; one that is damaged is 0, as the scripts take it, until the next write."""
    if not value:
        return 0
    if _EPOCH(value) is None:
        report_damage(keys.epoch, f"it holds no epoch but {value[:40]!r}")
        return 0
    return int(value)
