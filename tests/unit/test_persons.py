"""People whom a proxy names: who is believed, and what they may do."""

import pytest

from quotad.dashboard.proxy import TrustedProxy
from quotad.errors import ConfigError, PermissionDenied
from quotad.http.problems import HttpRefusal
from quotad.tokens.persons import Person, PersonRoles
from quotad.tokens.roles import RIGHTS, Right, TokenRole

PROXY = TrustedProxy("X-Forwarded-User", "X-Forwarded-Groups", ["10.0.0.0/24", "::1"])
NAMED = {"x-forwarded-user": " maria ", "x-forwarded-groups": "pricing, sales,"}


@pytest.mark.parametrize("peer", ["10.0.0.7:4711", "::ffff:10.0.0.7:4711", "[::1]:4711", "::1:80"])
def test_a_trusted_proxy_is_believed(peer: str) -> None:
    expected = Person("proxy:maria", "maria", ("pricing", "sales"))
    assert expected == PROXY.person(NAMED, frozenset(), peer)


@pytest.mark.parametrize("peer", ["10.0.1.7:4711", "127.0.0.1:1", "[::2]:1", None, "", "unix:/x"])
def test_the_header_counts_from_nowhere_else(peer: str | None) -> None:
    assert PROXY.person(NAMED, frozenset(), peer) is None


def test_a_header_that_came_twice_is_refused_and_an_empty_one_names_nobody() -> None:
    with pytest.raises(HttpRefusal, match="x-forwarded-user: came more than once"):
        PROXY.person(NAMED, frozenset({"x-forwarded-user"}), "10.0.0.7:1")
    with pytest.raises(HttpRefusal, match="x-forwarded-groups: came more than once"):
        PROXY.person(NAMED, frozenset({"x-forwarded-groups"}), "10.0.0.7:1")
    assert PROXY.person({"x-forwarded-user": " "}, frozenset(), "10.0.0.7:1") is None
    nobody = TrustedProxy("", "", [])
    assert nobody.person(NAMED, frozenset(), "10.0.0.7:1") is None


def test_roles_of_a_name_of_groups_and_of_everybody_add_up() -> None:
    roles = PersonRoles(["group:pricing=publish", "maria=manage", "*=read", "root=admin"])
    access = roles.access(Person("proxy:maria", "maria", ("pricing",)))

    assert RIGHTS[TokenRole.PUBLISH] | RIGHTS[TokenRole.MANAGE] == access.rights
    assert ("maria", False) == (access.name, access.scoped)
    assert RIGHTS[TokenRole.READ] == roles.access(Person("proxy:ben", "ben")).rights
    with pytest.raises(PermissionDenied, match="does not include admin"):
        access.check(Right.ADMIN)
    with pytest.raises(PermissionDenied, match="no role here for ben"):
        PersonRoles(["maria=read"]).access(Person("proxy:ben", "ben", ("sales",)))


@pytest.mark.parametrize("name", ["pricing", "group:pricing", "*"])
def test_nobody_gets_a_role_by_calling_themselves_as_a_group_is_called(name: str) -> None:
    with pytest.raises(PermissionDenied, match="no role here for"):
        PersonRoles(["group:pricing=publish"]).access(Person(f"oidc:i|{name}", name))
    with pytest.raises(PermissionDenied, match="no role here for"):
        PersonRoles(["maria=read"]).access(Person("oidc:i|u", name))


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["maria"], "person_roles: 'maria' is not NAME=ROLE"),
        (["maria=publsh"], "did you mean 'publish'?"),
        (["maria=consume"], "one of read, manage, publish, admin"),
        (["=read"], "is not NAME=ROLE"),
    ],
)
def test_a_role_that_is_none_stops_the_start(texts: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as failed:
        PersonRoles(texts)
    assert problem in str(failed.value)


def test_a_header_without_proxies_stops_the_start_and_so_does_a_wrong_address() -> None:
    with pytest.raises(ConfigError, match="trusted_proxies: is missing"):
        TrustedProxy("X-Forwarded-User", "", [])
    with pytest.raises(ConfigError, match=r"'10\.0\.0\.300' is not an address"):
        TrustedProxy("X-Forwarded-User", "", ["10.0.0.300"])
