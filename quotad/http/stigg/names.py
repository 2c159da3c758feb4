"""Names of subscriptions: in Stigg's calls a subscription is named without its customer.

`acme` is the main one, `acme:workspace-1` that of a resource, `acme:workspace-1:second` and
`acme::second` further ones; what has a colon in it is percent-encoded.
"""

from urllib.parse import quote, unquote

import msgspec

from quotad.records import Subscription


class SubscriptionName(msgspec.Struct, frozen=True):
    """Whose subscription, of what, and which."""

    customer_id: str
    resource_id: str = ""
    subscription_id: str = ""

    def __str__(self) -> str:
        parts = [self.customer_id, self.resource_id, self.subscription_id]
        while not parts[-1] and len(parts) > 1:
            parts.pop()
        return ":".join(quote(part, safe="/@+ ") for part in parts)


def name_of(customer_id: str, phase: Subscription) -> str:
    """The name of the subscription that a phase is of."""
    return str(SubscriptionName(customer_id, phase.resource_id, phase.subscription_id))


def read_name(text: str) -> SubscriptionName:
    """The subscription of a name; one with too many colons is a customer of that id."""
    parts = [unquote(part) for part in text.split(":")]
    return SubscriptionName(*parts) if len(parts) <= 3 else SubscriptionName(text)
