"""People who are vouched for by others, such as a proxy: who they are, and what they may do."""

from collections.abc import Iterable

import msgspec

from quotad.errors import ConfigError, PermissionDenied
from quotad.nearest import nearest
from quotad.tokens.access import Access
from quotad.tokens.record import TokenRecord
from quotad.tokens.roles import RIGHTS, Right, TokenRole

EVERYBODY = "*"
"""In `person_roles`: whoever has signed in."""

GROUP = "group:"
"""In `person_roles`: before the name of a group, so that nobody can call themselves by it."""

GROUPS_MAX = 1_000
"""Most groups of a person that are looked at."""

ROLES = tuple(role for role, rights in RIGHTS.items() if Right.READ in rights)
"""Those that people can have, the most powerful last."""


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody who has signed in elsewhere."""

    person_id: str
    """Never another's, also when names change: `oidc:<issuer>|<subject>`, `proxy:<name>`."""
    name: str
    """Stands as the actor of what is written."""
    groups: tuple[str, ...] = ()


class PersonRoles:
    """Which roles people have.

    Args:
        texts: `WHO=ROLE`, where WHO is a name, `group:NAME` or `*`; the setting `person_roles`.

    Raises:
        ConfigError: one of them is no such thing.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._roles: dict[str, set[TokenRole]] = {}
        for text in texts:
            who, _, role = text.rpartition("=")
            if role not in ROLES or not who:
                near = nearest(role, ROLES)
                hint = f", did you mean {str(near)!r}?" if near else f": one of {', '.join(ROLES)}"
                raise ConfigError(f"person_roles: {text!r} is not NAME=ROLE{hint}")
            self._roles.setdefault(who, set()).add(TokenRole(role))

    def access(self, person: Person) -> Access:
        """Return what a person may do: what their roles give together.

        Raises:
            PermissionDenied: they have none.
        """
        groups = [GROUP + each for each in person.groups[:GROUPS_MAX]]
        plain = person.name != EVERYBODY and not person.name.startswith(GROUP)
        named = [EVERYBODY, *groups, *([person.name] if plain else [])]
        roles = set().union(*(self._roles.get(name, ()) for name in named))
        if not roles:
            raise PermissionDenied(
                f"there is no role here for {person.name}; who runs quotad gives one (person_roles)"
            )
        best = max(roles, key=ROLES.index)
        access = Access(TokenRecord("", person.name, best, b"", 0))
        access.rights = frozenset().union(*(RIGHTS[role] for role in roles))
        return access
