"""The tables of the documentation are those of the code."""

import ast
import inspect
import re
from keyword import iskeyword
from typing import Any

import pytest

from quotad import config
from quotad.client import AsyncClient, Client
from quotad.client.admin import AdminClient
from quotad.config import Config
from quotad.decision import Reason
from quotad.errors import Status
from quotad.http.app import OPERATIONS
from quotad.v1 import admin_pb2, quota_pb2
from tests.docs.commands import find, options
from tests.docs.pages import prose, table
from tests.processes import ROOT

README = ROOT / "README.md"
API = ROOT / "docs" / "api.md"
CLIENT = ROOT / "docs" / "client.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"

PROCESSES = ("serve", "sidecar", "dev")


def words(cell: str) -> list[str]:
    """The words in code style of a cell."""
    return re.findall(r"`([^`]*)`", cell)


def docstrings_of_fields() -> dict[str, str]:
    """What stands below each field of Config."""
    [tree] = [
        node
        for node in ast.parse(inspect.getsource(config)).body
        if isinstance(node, ast.ClassDef) and node.name == "Config"
    ]
    found: dict[str, str] = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(below, ast.Expr)
            assert isinstance(below.value, ast.Constant)
            found[field.target.id] = " ".join(str(below.value.value).split())
    return found


def test_the_settings_are_those_of_config_with_their_defaults_and_meanings() -> None:
    shown = {
        words(name)[0]: ((words(default) or [""])[0], meaning)
        for name, default, meaning in table(README, "Settings", "setting")
    }
    defaults = Config()
    docstrings = docstrings_of_fields()

    assert list(Config.__struct_fields__) == list(shown)
    assert shown == {
        name: (
            " ".join(map(str, value)) if isinstance(value, tuple) else str(value),
            docstrings[name],
        )
        for name in shown
        for value in [getattr(defaults, name)]
    }


def test_every_flag_of_a_process_is_a_setting_and_every_setting_is_a_flag() -> None:
    settings = {"--" + name.replace("_", "-") for name in Config.__struct_fields__}
    flags = {name: options(find([name])[0]) for name in PROCESSES}

    assert {name: set() for name in PROCESSES} == {
        name: given - settings for name, given in flags.items()
    }
    assert settings == set().union(*flags.values())


def test_the_reasons_are_those_of_the_code_in_order_of_precedence() -> None:
    rows = table(README, "Reasons", "reason")

    assert [reason.name for reason in Reason] == [words(row[0])[0] for row in rows]
    assert {"yes": Reason.OVER_SOFT_LIMIT, "no": Reason.CUSTOMER_NOT_FOUND} == {
        allowed: min(Reason[words(row[0])[0]] for row in rows if row[1] == allowed)
        for allowed in ("yes", "no")
    }


def test_the_statuses_of_the_data_plane_are_those_of_the_code() -> None:
    shown = {words(row[0])[0] for row in table(README, "Reasons", "status")}

    # A caller's deadline is kept by the caller, and the others are the admin service's.
    assert {status.name for status in Status} - {"NOT_FOUND", "ABORTED", "FAILED_PRECONDITION"} == (
        shown - {"DEADLINE_EXCEEDED"}
    )


def test_every_guarantee_is_kept_by_tests_that_exist() -> None:
    rows = table(README, "What it guarantees", "")
    kept_by = {row[0]: words(row[2]) for row in rows}

    assert [f"G{number}" for number in range(1, 12)] == list(kept_by)
    assert all(kept_by.values())
    missing = [path for paths in kept_by.values() for path in paths if not (ROOT / path).exists()]
    assert [] == missing


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        ("Request", quota_pb2.CheckAndConsumeRequest),
        ("Response", quota_pb2.CheckAndConsumeResponse),
    ],
)
def test_the_fields_of_the_api_are_those_of_the_protos(heading: str, message: Any) -> None:
    shown = [name for row in table(API, heading, "field") for name in words(row[0])]

    assert {field.name for field in message.DESCRIPTOR.fields} == set(shown)


@pytest.mark.parametrize(
    ("heading", "column", "message"),
    [
        ("Limits", "limit field", quota_pb2.LimitStatus),
        ("Explanation", "explanation field", quota_pb2.Explanation),
        ("Explanation", "source field", quota_pb2.EntitlementSource),
        ("Refund", "refund field", quota_pb2.RefundRequest),
        ("CheckAndConsumeAll", "all field", quota_pb2.CheckAndConsumeAllRequest),
        ("CheckAndConsumeAll", "all answer", quota_pb2.CheckAndConsumeAllResponse),
    ],
)
def test_the_fields_inside_an_answer_are_those_of_the_protos(
    heading: str, column: str, message: Any
) -> None:
    shown = [name for row in table(API, heading, column) for name in words(row[0])]

    # A limit's own columns are those of the answer, where they are described.
    explained = {name for row in table(API, "Response", "field") for name in words(row[0])}
    inherited = explained if message is quota_pb2.LimitStatus else set()
    assert {field.name for field in message.DESCRIPTOR.fields} - set(shown) <= inherited
    assert set(shown) <= {field.name for field in message.DESCRIPTOR.fields}


def test_the_calls_of_the_api_are_those_of_the_protos() -> None:
    quota = quota_pb2.DESCRIPTOR.services_by_name["QuotaService"]
    admin = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
    headings = re.findall(r"^## (.*)$", prose(API), re.MULTILINE)
    rows = table(API, "AdminService", "call")

    assert [method.name for method in quota.methods] == [
        name for heading in headings[:-1] for name in heading.split(", ")
    ]
    assert {method.name for method in admin.methods} == {
        name for row in rows for name in words(row[0])
    }


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_the_methods_of_the_clients_are_those_of_the_page(client: type) -> None:
    for [call] in [words(row[0]) for row in table(CLIENT, "The Python client", "method")]:
        name, _, arguments = call.removesuffix(")").partition("(")
        parameters = inspect.signature(getattr(client, name)).parameters
        shown = [part.strip().partition("=") for part in arguments.split(",") if part.strip()]

        assert [(each, value) for each, _, value in shown if each != "*"] == [
            (each.name, "" if each.default is each.empty else repr(each.default).replace("'", '"'))
            for each in list(parameters.values())[1:]
        ]


def test_the_administration_of_the_page_is_that_of_the_client() -> None:
    section = prose(CLIENT).split("## Administration")[1]
    shown = words(section.split("has the calls")[1].split(". ")[0])

    methods = {name for name, _ in inspect.getmembers(AdminClient, inspect.isfunction)}
    assert {name for name in methods if not name.startswith("_")} - {"close"} == set(shown)


def test_the_calls_of_the_administration_have_the_arguments_of_the_page() -> None:
    for row in table(CLIENT, "Administration", "call"):
        for call in words(row[0]):
            name, _, arguments = call.removesuffix(")").partition("(")
            parameters = inspect.signature(getattr(AdminClient, name)).parameters
            shown = [part.strip() for part in arguments.split(",")]
            options = {
                word
                for cell in words(row[1])
                for word in [cell.partition("=")[0]]
                if word.isidentifier() and not iskeyword(word)
            }

            assert shown == [
                each.name
                if each.default is each.empty
                else f"{each.name}={each.default!r}".replace("'", '"')
                for each in list(parameters.values())[1:]
                if each.kind is not each.KEYWORD_ONLY
            ]
            assert options <= set(parameters)


def test_the_rooms_of_the_architecture_are_those_of_the_code() -> None:
    shown: set[str] = set()
    for row in table(ARCHITECTURE, "Rooms", "row"):
        first, *rest = words(row[1])
        shown |= {first.removesuffix("/"), *(f"quotad/{name}" for name in rest)}
    rooms = {
        f"quotad/{path.name}"
        for path in (ROOT / "quotad").iterdir()
        if not path.name.startswith("__") and path.name != "py.typed"
    }

    assert rooms == shown


def test_the_operations_over_http_are_those_that_there_are() -> None:
    rows = table(ROOT / "docs" / "http.md", "Operations", "operation")

    assert [(each.name, each.method, each.path) for each in OPERATIONS] == [
        tuple(words(cell)[0] for cell in row) for row in rows
    ]
