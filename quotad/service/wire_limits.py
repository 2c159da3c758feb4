"""The limits of an answer, with the bytes that protobuf would write; as `wire`."""

from functools import lru_cache

from quotad.decision import LimitStatus
from quotad.service import encode
from quotad.service.wire_fields import LAST, TABLE_SIZE, table, varint
from quotad.v1 import quota_pb2 as pb

_LIMITS_TAG = b"\x62"  # CheckAndConsumeResponse.limits = 12
_STATUS_USED = table(b"\x18")  # LimitStatus.used = 3
_STATUS_REMAINING = table(b"\x20")  # LimitStatus.remaining = 4


def limit_status(status: LimitStatus, details: bytes = b"") -> bytes:
    """Field 12, a LimitStatus; without fields 8 to 11, which few limits have."""
    used, remaining = status.used, status.remaining
    head, tail = _shared_status(status.limit, status.soft, status.per, status.resets_at_ms)
    inner = b"".join(
        (
            head,
            _STATUS_USED[used] if used < TABLE_SIZE else b"\x18" + varint(used),
            _STATUS_REMAINING[remaining] if remaining < TABLE_SIZE else b"\x20" + varint(remaining),
            b"\x28" + varint(status.overage) if status.overage else b"",
            tail,
            details,
        )
    )
    return _LIMITS_TAG + LAST[len(inner)] + inner  # a dozen fields: far below 16 KiB


def limit_details(status: LimitStatus) -> bytes:
    """Field 12, a LimitStatus, with all it may have."""
    inner = encode.limit_status(status, marked=False).SerializeToString()
    return _LIMITS_TAG + LAST[len(inner)] + inner


@lru_cache(maxsize=4096)
def _shared_status(
    limit: int | None, soft: bool, per: str, resets_at_ms: int | None
) -> tuple[bytes, bytes]:
    """Fields 1 and 2, and 6 and 7, serialised."""
    head = pb.LimitStatus(limit=limit, soft_limit=soft)
    tail = pb.LimitStatus(per=per, resets_at=encode.timestamp(resets_at_ms))
    return head.SerializeToString(), tail.SerializeToString()
