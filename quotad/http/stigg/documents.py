"""GraphQL documents: parsed, and refused where they could take a server's time without a bound."""

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
)

DOCUMENT_MAX = 64 * 1024
"""Longest document, in characters."""

DEPTH_MAX = 16
"""Deepest selection of a document, fragments taken in."""

FIELDS_MAX = 1000
"""Most fields that a document selects, fragments taken in as often as they are spread."""

ROOT_FIELDS_MAX = 32
"""Most root fields of an operation, so that aliases do not make a batch without a bound."""

TOKENS_MAX = 10_000
"""Most words and signs of a document, so that parsing ends soon."""


def read_document(text: str) -> DocumentNode:
    """Parse a document.

    Raises:
        GraphQLError: it is no GraphQL, too large, or selects itself.
    """
    if len(text) > DOCUMENT_MAX:
        raise GraphQLError(f"query: {len(text):,} characters; at most {DOCUMENT_MAX:,} are read")
    document = parse(text, no_location=True, max_tokens=TOKENS_MAX)
    _check(document)
    return document


class _Extent:
    """Counts what selections take in, each fragment once, so that counting itself is bounded."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        self._counted: dict[str, tuple[int, int]] = {}
        self._under_way: set[str] = set()

    def of(self, selected: SelectionSetNode | None, level: int = 0) -> tuple[int, int]:
        """Fields and depth of a selection.

        Raises:
            GraphQLError: a fragment spreads itself, or it is too deep to be followed.
        """
        if level > DEPTH_MAX:
            raise GraphQLError(f"query: more than {DEPTH_MAX} levels of selection")
        fields = depth = 0
        for each in () if selected is None else selected.selections:
            if isinstance(each, FragmentSpreadNode):
                within = self._fragment(each.name.value, level)
            elif isinstance(each, FieldNode):
                below = self.of(each.selection_set, level + 1)
                within = below[0] + 1, below[1] + 1
            else:
                assert isinstance(each, InlineFragmentNode)
                within = self.of(each.selection_set, level + 1)
            fields, depth = fields + within[0], max(depth, within[1])
        return fields, depth

    def _fragment(self, name: str, level: int) -> tuple[int, int]:
        if name in self._under_way:
            raise GraphQLError(f"query: fragment {name!r} spreads itself")
        if name not in self._counted:
            fragment = self._fragments.get(name)
            self._under_way.add(name)
            self._counted[name] = self.of(fragment.selection_set if fragment else None, level)
            self._under_way.discard(name)
        return self._counted[name]


def _check(document: DocumentNode) -> None:
    """Refuse what could take a server's time or memory without a bound."""
    extent = _Extent(document)
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            fields, depth = extent.of(each.selection_set)
            if depth > DEPTH_MAX:
                raise GraphQLError(f"query: more than {DEPTH_MAX} levels of selection")
            if fields > FIELDS_MAX:
                raise GraphQLError(f"query: {fields:,} fields; at most {FIELDS_MAX:,} are read")
            if len(each.selection_set.selections) > ROOT_FIELDS_MAX:
                raise GraphQLError(f"query: more than {ROOT_FIELDS_MAX} root fields")
            if each.operation is OperationType.SUBSCRIPTION:
                raise GraphQLError("subscription: not supported")
        elif isinstance(each, FragmentDefinitionNode):
            extent.of(each.selection_set)
