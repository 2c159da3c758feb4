"""Pricing experiments: a share of a plan's customers has another plan, and both are compared."""

from hashlib import blake2b

import msgspec

MYRIAD = 10_000

CONTROL = "control"
"""The variant of customers that are not in the share."""


class Experiment(msgspec.Struct, frozen=True, gc=False):
    """One experiment of a catalog."""

    name: str
    of: str
    """The plan whose subscribers take part."""
    to: str
    """The plan that those in the share have instead, and what answers call them."""
    per_myriad: int
    """Customers of 10,000 that are in the share."""
    new_customers: bool = True
    """Only those whose record was made while it ran."""

    def variant(self, customer_id: str) -> str:
        """The plan of a customer in the share, or `control`; who is in it stays when it grows."""
        inside = place_of(self.name, customer_id) < self.per_myriad
        return self.to if inside else CONTROL


def place_of(salt: str, customer_id: str) -> int:
    """A number from 0 to 9,999 that is always the same for a customer."""
    digest = blake2b(f"{salt}:{customer_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % MYRIAD
