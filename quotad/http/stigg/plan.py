"""What a GraphQL document selects, worked out once, so that answering it is a walk.

Clients of several versions send documents of their own schema, of which this one has a part. So a
document is not validated against it, but made to fit:

    selected field that is not known   null
    argument, input field not known    not looked at
    type of a variable not known       any JSON
    root field not known               an error that names it
    fragment of an unknown type        selects nothing

graphql-core's own executor does this for 4 us a field, which is more than deciding costs; a walk
over shapes that are ready takes a tenth of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_operation_ast,
    value_from_ast_untyped,
)
from graphql.language import ArgumentNode, SelectionNode

from quotad.errors import InvalidRequest

VALUES_MAX = 500_000
"""Most values of an answer: lists in lists make many of a small document."""

Variables = Mapping[str, Any]

Selection = dict[str, "Selected"]
"""By the name in the answer."""


class Selected(msgspec.Struct, frozen=True, gc=False):
    """One selected field."""

    name: str
    types: dict[str, Selection] | None = None
    """What is selected of an object, by its type; None: of a value."""
    typename: str = ""
    """Of an object whose type is known before."""
    size: int = 1
    """Most values that one object gives, without those in lists below it."""


class RootField(msgspec.Struct, frozen=True, gc=False):
    """One root field."""

    key: str
    arguments: tuple[ArgumentNode, ...]
    selected: Selected

    def given(self, variables: Variables) -> dict[str, Any]:
        """The arguments by name; those of variables that were not sent are left out."""
        return {
            each.name.value: value_from_ast_untyped(each.value, dict(variables))
            for each in self.arguments
            if not isinstance(each.value, VariableNode) or each.value.name.value in variables
        }


class DocumentPlan(msgspec.Struct, frozen=True, gc=False):
    """An operation, ready to be answered."""

    typename: str
    roots: tuple[RootField, ...]


def switches(document: DocumentNode) -> tuple[str, ...]:
    """The variables that decide what is selected: a plan is for their values."""
    names = _Switches()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            names.find(definition.selection_set)
    return tuple(sorted(names.found))


def plan(
    schema: GraphQLSchema, document: DocumentNode, name: str | None, variables: Variables
) -> DocumentPlan:
    """Work out what an operation selects.

    Args:
        schema: of the types; the document may be of another.
        document: checked.
        name: of the operation; None: the only one.
        variables: of which those of `@include` and `@skip` are looked at.

    Raises:
        GraphQLError: there is no such operation or root field.
    """
    operation = get_operation_ast(document, name)
    if operation is None:
        raise GraphQLError(
            "operationName: the query has no operation of that name"
            if name
            else "operationName: missing; the query has several operations, or none"
        )
    if operation.operation is OperationType.SUBSCRIPTION:
        raise GraphQLError("subscription: not supported")
    root = schema.get_root_type(operation.operation)
    assert root is not None
    planner = _Planner(schema, document, variables)
    fields = planner.collected(root, [operation.selection_set])
    roots = tuple(planner.root(root, key, nodes) for key, nodes in fields.items())
    return DocumentPlan(root.name, roots)


class ValuesLeft:
    """How many values an answer may still have, counted where there are lists of them."""

    def __init__(self) -> None:
        self._left = VALUES_MAX

    def spend(self, values: int) -> None:
        """Count what a list gives.

        Raises:
            InvalidRequest: it is too much.
        """
        self._left -= values
        if self._left < 0:
            raise InvalidRequest(f"query: selects more than {VALUES_MAX:,} values; ask for fewer")


def project(value: Any, selected: Selected, left: ValuesLeft) -> Any:
    """What is selected of a value, a shape or a list of them.

    Raises:
        InvalidRequest: it is more than an answer may have.
    """
    types = selected.types
    if types is None or value is None:
        return value
    if isinstance(value, list):
        left.spend(len(value) * selected.size)
        return [project(each, selected, left) for each in value]
    typename = selected.typename or value["__typename"]
    answer = {}
    for key, its in types[typename].items():
        name = its.name
        field = value.get(name)
        if its.types is None:
            answer[key] = typename if name == "__typename" else field
        else:
            if callable(field):  # once, under however many names it is selected
                field = value[name] = field()
            answer[key] = project(field, its, left)
    return answer


class _Switches:
    """Finds the variables of `@include` and `@skip`."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def find(self, selected: SelectionSetNode | None) -> None:
        for each in () if selected is None else selected.selections:
            for directive in each.directives or ():
                condition = _condition(directive)
                if isinstance(condition, VariableNode):
                    self.found.add(condition.name.value)
            if isinstance(each, FieldNode | InlineFragmentNode):
                self.find(each.selection_set)


class _Planner:
    """Collects fields, fragments taken in."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Variables) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }

    def root(self, parent: GraphQLObjectType, key: str, nodes: Sequence[FieldNode]) -> RootField:
        """A root field."""
        name = nodes[0].name.value
        if name != "__typename" and name not in parent.fields:
            raise GraphQLError(f"{name}: not supported; docs/stigg.md lists what is")
        selected = self._selected(parent, nodes)
        return RootField(key, tuple(nodes[0].arguments or ()), selected)

    def collected(
        self, parent: GraphQLObjectType, sets: Sequence[SelectionSetNode]
    ) -> dict[str, list[FieldNode]]:
        """The fields of selections of one type, by their name in the answer."""
        found: dict[str, list[FieldNode]] = {}
        for each in sets:
            self._collect(parent, each, found)
        return found

    def _collect(
        self,
        parent: GraphQLObjectType,
        selected: SelectionSetNode,
        found: dict[str, list[FieldNode]],
    ) -> None:
        for each in selected.selections:
            if not self._is_included(each):
                continue
            if isinstance(each, FieldNode):
                key = each.alias.value if each.alias else each.name.value
                found.setdefault(key, []).append(each)
            elif isinstance(each, InlineFragmentNode):
                condition = each.type_condition
                if condition is None or self._matches(condition.name.value, parent):
                    self._collect(parent, each.selection_set, found)
            elif isinstance(each, FragmentSpreadNode):
                fragment = self._fragments.get(each.name.value)
                if fragment and self._matches(fragment.type_condition.name.value, parent):
                    self._collect(parent, fragment.selection_set, found)

    def _selected(self, parent: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Selected:
        name = nodes[0].name.value
        field = parent.fields.get(name)
        type_ = None if field is None else get_named_type(field.type)
        if isinstance(type_, GraphQLObjectType):
            possible, typename = [type_], type_.name
        elif isinstance(type_, GraphQLUnionType):
            possible, typename = list(type_.types), ""
        else:
            return Selected(name)
        sets = [node.selection_set for node in nodes if node.selection_set is not None]
        if not sets:
            raise GraphQLError(f"{name}: name the fields of it that are wanted")
        types = {each.name: self._of(each, sets) for each in possible}
        sizes = (sum(each.size for each in fields.values()) for fields in types.values())
        return Selected(name, types, typename, max(sizes))

    def _of(self, parent: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> Selection:
        fields = self.collected(parent, sets)
        return {key: self._selected(parent, nodes) for key, nodes in fields.items()}

    def _matches(self, name: str, parent: GraphQLObjectType) -> bool:
        if name == parent.name:
            return True
        type_ = self._schema.get_type(name)
        return isinstance(type_, GraphQLUnionType) and parent in type_.types

    def _is_included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            condition = _condition(directive)
            if condition is None:
                continue
            if isinstance(condition, VariableNode):
                told = bool(self._variables.get(condition.name.value))
            else:
                told = condition.value
            if told is (directive.name.value == "skip"):
                return False
        return True


def _condition(directive: DirectiveNode) -> VariableNode | BooleanValueNode | None:
    """What `@include` and `@skip` depend on; None: of another directive."""
    if directive.name.value in ("include", "skip"):
        for argument in directive.arguments or ():
            if isinstance(argument.value, VariableNode | BooleanValueNode):
                return argument.value
    return None
