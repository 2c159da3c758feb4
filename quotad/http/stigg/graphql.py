"""Stigg's GraphQL calls: a document in, its answer out.

The schema is a file; graphql-core reads it and the documents, and answers what asks for the schema
itself.
"""

import logging
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    execute_sync,
)

from quotad.errors import QuotadError, Status, internal_error
from quotad.history import LOCAL
from quotad.http.stigg.api import GRAPHQL, StiggApi
from quotad.http.stigg.documents import read_document
from quotad.http.stigg.inputs import only
from quotad.http.stigg.paths import NotSupported
from quotad.http.stigg.plan import (
    DocumentPlan,
    RootField,
    Selected,
    ValuesLeft,
    plan,
    project,
    switches,
)
from quotad.recent import Recent
from quotad.tokens.access import EVERYTHING, Access
from quotad.tokens.roles import Right

RootCall = Callable[[StiggApi, object], object]
"""Answers one root field from its input."""

_log = logging.getLogger("quotad.http")

_DOCUMENTS_MAX = 1000

_CODES = {
    "customer_id": "CustomerNotFound",
    "feature_id": "FeatureNotFound",
    "plan_id": "PlanNotFound",
    "subscription_id": "SubscriptionNotFound",
}
"""`code` of what is not there, by the field that names it."""

_REFUSALS = {Status.UNAUTHENTICATED: "Unauthenticated", Status.PERMISSION_DENIED: "Forbidden"}


class GraphqlRequest(msgspec.Struct, frozen=True, rename="camel"):
    """One GraphQL request; what else is in it is not looked at."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None


class StiggGraphql:
    """Answers GraphQL requests; for all threads.

    Args:
        api: what calls are answered from.
        queries: by root field.
        mutations: by root field.
    """

    def __init__(
        self, api: StiggApi, queries: Mapping[str, RootCall], mutations: Mapping[str, RootCall]
    ) -> None:
        text = files("quotad.http.stigg").joinpath("schema.graphql").read_text("utf-8")
        self._schema = build_schema(text)
        self._api = api
        self._calls = {**queries, **mutations}
        for root, calls in (
            (self._schema.query_type, queries),
            (self._schema.mutation_type, mutations),
        ):
            _check_calls(root, calls)
        self._documents: Recent[str, tuple[DocumentNode, tuple[str, ...]]] = Recent(_DOCUMENTS_MAX)
        self._plans: Recent[tuple[object, ...], DocumentPlan] = Recent(_DOCUMENTS_MAX)

    def answer(
        self, request: GraphqlRequest, actor: str = LOCAL, access: Access = EVERYTHING
    ) -> dict[str, object]:
        """Answer one request; what goes wrong is in the answer's `errors`.

        Args:
            request: as it came.
            actor: whose doing its writes are.
            access: which customers and features the caller's token covers; `rights` has what it
                must give.
        """
        try:
            document, names = self._document(request.query)
            if "__schema" in request.query or "__type(" in request.query:
                return _about(self._schema, document, request)
            its = self._plan(document, names, request)
        except GraphQLError as error:
            return {"errors": [_error(error.message, "BadUserInput")], "data": None}
        variables = request.variables or {}
        writes = its.typename == "Mutation"
        api = self._api.by(actor, access, GRAPHQL) if writes or access.scoped else self._api
        data: dict[str, object] = {}
        errors: list[dict[str, object]] = []
        left = ValuesLeft()
        for root in its.roots:
            try:
                if root.selected.name == "__typename":
                    data[root.key] = its.typename
                else:
                    data[root.key] = self._field(api, root, variables, left)
            except Exception as error:  # noqa: BLE001 (each root field has an answer of its own)
                data[root.key] = None
                errors.append(_failed(error, root.key))
        if not errors:
            return {"data": data}
        return {"errors": errors, "data": data if any(data.values()) else None}

    def rights(self, request: GraphqlRequest) -> set[Right]:
        """What a caller must be allowed to; of what cannot be answered, nothing more."""
        try:
            its = self._plan(*self._document(request.query), request)
        except GraphQLError:
            return set()
        if its.typename == "Query":
            return {_to_read(root.selected) for root in its.roots}
        names = {root.selected.name for root in its.roots}
        return {Right.CONSUME if name in _COUNTING else Right.MANAGE for name in names}

    def _document(self, text: str) -> tuple[DocumentNode, tuple[str, ...]]:
        """A document, with the variables that decide what it selects."""
        kept = self._documents.get(text)
        if kept is None:
            document = read_document(text)
            kept = document, switches(document)
            self._documents.put(text, kept)
        return kept

    def _plan(
        self, document: DocumentNode, names: tuple[str, ...], request: GraphqlRequest
    ) -> DocumentPlan:
        variables = request.variables or {}
        chosen = tuple(bool(variables.get(name)) for name in names)
        key = request.query, request.operation_name, chosen
        its = self._plans.get(key)
        if its is None:
            its = plan(self._schema, document, request.operation_name, variables)
            self._plans.put(key, its)
        return its

    def _field(
        self, api: StiggApi, root: RootField, variables: Mapping[str, Any], left: ValuesLeft
    ) -> object:
        answer = self._calls[root.selected.name](api, only(root.given(variables)))
        return project(answer, root.selected, left)


_COUNTING = ("reportUsage", "reportUsageBulk", "reportEvent")
_RECORDS = ("getSubscription", "subscriptions", "usageHistoryV2")
_OF_WHAT_IS_ALLOWED = {
    "__typename",
    "id",
    "customerId",
    "refId",
    "entitlements",
    "hasActiveSubscription",
}


def _to_read(root: Selected) -> Right:
    """What a query needs: the record of a customer more than what that customer may use."""
    if root.name == "getCustomerByRefId":
        selected = (root.types or {}).get("Customer", {}).values()
        asked = {each.name for each in selected}
        return Right.CHECK if asked <= _OF_WHAT_IS_ALLOWED else Right.READ
    return Right.READ if root.name in _RECORDS else Right.CHECK


def _check_calls(root: GraphQLObjectType | None, calls: Mapping[str, RootCall]) -> None:
    assert root is not None
    assert set(root.fields) == set(calls), set(root.fields) ^ set(calls)


def _about(
    schema: GraphQLSchema, document: DocumentNode, request: GraphqlRequest
) -> dict[str, object]:
    """What is asked about the schema itself."""
    result = execute_sync(
        schema,
        document,
        variable_values=request.variables,
        operation_name=request.operation_name,
    )
    errors = [_error(each.message, "BadUserInput") for each in result.errors or ()]
    return {"data": result.data} | ({"errors": errors} if errors else {})


def _error(message: str, code: str) -> dict[str, object]:
    return {"message": message, "extensions": {"code": code}}


def _failed(error: Exception, key: str) -> dict[str, object]:
    """The error of a root field: its message is what clients show."""
    if isinstance(error, QuotadError):
        return _error(error.for_caller, code_of(error)) | {"path": [key]}
    _log.error("a GraphQL call failed", exc_info=error)
    return _error(str(internal_error()), "InternalServerError") | {"path": [key]}


def code_of(error: QuotadError) -> str:
    """The `code` of an error."""
    if error.status in _REFUSALS:
        return _REFUSALS[error.status]
    if isinstance(error, NotSupported):
        return "NotSupported"
    field = str(error).partition(":")[0]
    if error.status is Status.NOT_FOUND:
        return _CODES.get(field, "NotFound")
    if error.status is Status.INVALID_ARGUMENT:
        return _CODES.get(field, "BadUserInput") if ": unknown " in str(error) else "BadUserInput"
    if error.status is Status.RESOURCE_EXHAUSTED:
        return "RateLimitExceeded"
    return "ServiceUnavailable" if error.status is Status.UNAVAILABLE else "BadUserInput"
