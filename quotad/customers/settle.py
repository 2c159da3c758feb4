"""What every write of a customer's record does first: drop what is over, and count resets."""

import msgspec

from quotad.customers.resets import counted
from quotad.entitlements.phases import PhaseStatus, is_over, statuses
from quotad.model import CustomerRecord


def settled(record: CustomerRecord, now_ms: int) -> CustomerRecord:
    """Drop phases and promotions that are over, and count the resets that came with phases."""
    record = counted(record, now_ms)
    standing = zip(record.subscriptions, statuses(record, now_ms), strict=True)
    return msgspec.structs.replace(
        record,
        subscriptions=tuple(phase for phase, status in standing if status is not PhaseStatus.ENDED),
        promotions=tuple(each for each in record.promotions if not is_over(each, now_ms)),
    )
