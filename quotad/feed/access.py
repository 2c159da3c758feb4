"""What listening needs, and by what listeners are counted."""

from quotad.tokens.access import Access
from quotad.tokens.roles import Right, TokenRole


def check_may_watch(access: Access, customer_id: str) -> None:
    """Refuse to tell what a token does not cover.

    Args:
        access: what it may do.
        customer_id: whose changes are watched; empty: everybody's.

    Raises:
        PermissionDenied: it may not.
    """
    access.check(Right.CHECK if customer_id else Right.READ)
    access.check_covers(customer_id or None)


def watcher_name(access: Access, customer_id: str, host: str) -> str:
    """By what the listeners of one caller are counted; empty: it is not known who calls.

    Args:
        access: what it may do. One client token is shown by the browsers of all customers, so
            that each of these counts apart.
        customer_id: whose changes are watched.
        host: the caller's address, for those without a token; empty: not known.
    """
    if access.record is None:
        return host
    token_id = access.record.token_id
    return f"{token_id} {customer_id}" if access.record.role is TokenRole.CLIENT else token_id
