"""Who a request comes from: its token, in either of the headers that callers have for it."""

from starlette.types import Scope

from quotad.http.authorize import AUTHORIZE
from quotad.http.bodies import query_fields
from quotad.http.hosts import check_host
from quotad.http.operation import Admit, Caller, peer_of
from quotad.tokens.access import TokenTable
from quotad.tokens.roles import Right

HOST = b"host"
AUTHORIZATION = b"authorization"
API_KEY = b"x-api-key"
CUSTOMER_KEY = b"x-customer-key"
"""Proves the customer of a client token."""


def token_admit(table: TokenTable, any_host: bool = False) -> Admit:
    """What checks requests against a table of tokens.

    Args:
        table: of the store.
        any_host: whether calls by any name are answered while there are no tokens.
    """

    def admit(scope: Scope, right: Right) -> Caller:
        shown = proof = host = ""
        for name, value in scope["headers"]:
            if name == AUTHORIZATION or (name == API_KEY and not shown):
                shown = value.decode("latin-1")
            elif name == CUSTOMER_KEY:
                proof = value.decode("latin-1")
            elif name == HOST:
                host = value.decode("latin-1")
        access = table.access(shown, peer_of(scope), proof)
        access.check(right)
        # A gateway may ask by the name of the page whose request it asks for.
        if access.record is None and host and not any_host and scope.get("raw_path") != AUTHORIZE:
            check_host(host)
        return Caller(access, table.refusal)

    return admit


def with_token_of_query(scope: Scope) -> Scope:
    """Take token and customer key of a query for headers, where there is no token among these."""
    named = dict(scope["headers"])
    if b"token=" not in scope["query_string"] or AUTHORIZATION in named or API_KEY in named:
        return scope
    fields = query_fields(scope["query_string"])
    headers = [
        (header, fields[field].encode())
        for field, header in (("token", API_KEY), ("customer_key", CUSTOMER_KEY))
        if field in fields
    ]
    return {**scope, "headers": [*scope["headers"], *headers]}
