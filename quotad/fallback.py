"""What becomes of calls on a feature while the store is gone: denied, let through, or a share."""

import re
from enum import Enum

import msgspec

MYRIAD = 10_000


class WithoutStore(Enum):
    """What a server does by itself."""

    DENY = "deny"
    """Calls are answered UNAVAILABLE."""
    ALLOW = "allow"
    """They are let through as far as the plan goes, whatever was used."""
    LOCAL = "local"
    """They are let through up to a share of each limit."""


class FallbackPolicy(msgspec.Struct, frozen=True, gc=False):
    """What becomes of calls while the store is gone (`on_store_failure`)."""

    kind: WithoutStore = WithoutStore.DENY
    per_myriad: int = 0
    """Of LOCAL: the share of a limit, of 10,000."""

    @property
    def in_words(self) -> str:
        """As a setting spells it: `deny`, `allow`, `local: 10 %`."""
        if self.kind is not WithoutStore.LOCAL:
            return str(self.kind.value)
        whole, rest = divmod(self.per_myriad, 100)
        digits = f"{whole}.{rest:02}".rstrip("0").rstrip(".")
        return f"local: {digits} %"

    def share_of(self, cap: int, workers: int) -> int:
        """How much of a limit one worker lets through, when so many share it."""
        return cap * self.per_myriad // (MYRIAD * workers)


DENY = FallbackPolicy()
ALLOW = FallbackPolicy(WithoutStore.ALLOW)

SPELLINGS = r"^(deny|allow|local: ?\d{1,3}(\.\d{1,2})? ?%)$"
"""Of a policy as a text."""

_SHARE = re.compile(r"local: ?(\d{1,3})(?:\.(\d{1,2}))? ?%")


def read_policy(text: str) -> FallbackPolicy:
    """Return the policy that a text spells, one of `SPELLINGS`.

    Raises:
        ValueError: it spells none.
    """
    found = _SHARE.fullmatch(text)
    if found is None:
        return FallbackPolicy(WithoutStore(text))
    per_myriad = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))
    if not 0 < per_myriad <= MYRIAD:
        raise ValueError("the share must be above 0 % and at most 100 %")
    return FallbackPolicy(WithoutStore.LOCAL, per_myriad)
