"""Who a request comes from: its token, in either of the headers that callers have for it."""

from starlette.types import Scope

from quotad.http.bodies import query_fields
from quotad.http.operation import Admit, Caller, peer_of
from quotad.tokens.access import TokenTable
from quotad.tokens.roles import Right

AUTHORIZATION = b"authorization"
API_KEY = b"x-api-key"
CUSTOMER_KEY = b"x-customer-key"
"""Proves the customer of a client token."""


def token_admit(table: TokenTable) -> Admit:
    """What checks requests against a table of tokens."""

    def admit(scope: Scope, right: Right) -> Caller:
        shown = proof = ""
        for name, value in scope["headers"]:
            if name == AUTHORIZATION or (name == API_KEY and not shown):
                shown = value.decode("latin-1")
            elif name == CUSTOMER_KEY:
                proof = value.decode("latin-1")
        access = table.access(shown, peer_of(scope), proof)
        access.check(right)
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
