"""What the rail on the left leads to; only pages that are whole."""

import msgspec

from quotad.dashboard.ask import Visitor
from quotad.tokens.roles import Right


class NavLink(msgspec.Struct, frozen=True):
    """One place."""

    name: str
    path: str
    right: Right = Right.READ


class NavGroup(msgspec.Struct, frozen=True):
    """Places under one heading."""

    name: str
    links: tuple[NavLink, ...]


NAV: tuple[NavGroup, ...] = (
    NavGroup("", (NavLink("Home", "/"),)),
    NavGroup(
        "Catalog",
        (
            NavLink("Plans", "/plans"),
            NavLink("Features", "/features"),
            NavLink("Add-ons", "/addons"),
            NavLink("Promotions", "/promotions"),
            NavLink("History", "/history"),
            NavLink("Try on the past", "/past", Right.MANAGE),
        ),
    ),
    NavGroup(
        "Customers",
        (
            NavLink("Customers", "/customers"),
            NavLink("Insights", "/insights"),
            NavLink("Live decisions", "/live"),
        ),
    ),
    NavGroup(
        "System",
        (NavLink("Webhooks", "/webhooks", Right.ADMIN), NavLink("Settings", "/settings")),
    ),
)


def nav_for(visitor: Visitor) -> list[NavGroup]:
    """Return what a visitor may open."""
    groups = []
    for group in NAV:
        links = tuple(
            link
            for link in group.links
            if link.right in visitor.access.rights and visitor.sees_all()
        )
        if links:
            groups.append(NavGroup(group.name, links))
    return groups
