"""What a lease is asked for and answered: quota lent to a caller that decides by itself."""

import msgspec

from quotad.decision import Decision


class Leased(msgspec.Struct, frozen=True):
    """What an AcquireLease and a RenewLease are answered."""

    decision: Decision
    granted: int
    """In all, since the lease was acquired."""
    ends_ms: int = 0
    """Unix time; 0: nothing is lent, or not any longer."""
    term_ms: int = 0
    """From now until then."""
    last: bool = False
    """Whether it ends with its period, so that it cannot be renewed beyond."""
    feature_id: str = ""
    """What is lent; empty: nothing is."""
    resource_id: str = ""


class Renewal(msgspec.Struct, frozen=True, gc=False):
    """What a holder reports and asks for."""

    sequence: int
    """Above that of the renewal before; the same: that one, once more."""
    spent: int
    """In all, since the lease was acquired."""
    wanted: int
    """What may be spent from now on. Less than what is left returns the rest, which must not be
    spent from before the call on."""
