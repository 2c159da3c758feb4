"""Records of customers and catalogs as stored: msgpack, with the defaults left out."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from quotad.errors import RecordLost
from quotad.model import CatalogRecord, CustomerRecord


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
