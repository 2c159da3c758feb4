"""`quotad catalog` against a server: plan files are checked here, compared and published there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner, Result

from quotad.cli.app import app
from quotad.v1 import admin_pb2
from tests.service.fake_quotad import Fail, FakeServer, fake_server

Run = Callable[..., Result]

PLANS = """
version: 1
default_plan: free
features:
  api-calls: {type: metered, unit: call}
plans:
  free:
    entitlements:
      api-calls: {limit: 1000, per: month}
"""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as running:
        yield running


@pytest.fixture
def quotad(server: FakeServer) -> Run:
    """Run `quotad` in this process against the server."""

    def run(*args: str, **env: str) -> Result:
        environment = {"QUOTAD_SERVER": server.address, "COLUMNS": "200", **env}
        return CliRunner().invoke(app, list(args), env=environment)

    return run


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    """A directory of plan files."""
    directory = tmp_path / "plans"
    directory.mkdir()
    (directory / "plans.yaml").write_text(PLANS)
    return directory


def words(result: Result) -> list[str]:
    """What was printed, without the blanks of its layout."""
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_catalog_check_needs_no_server(quotad: Run, server: FakeServer, plans: Path) -> None:
    server.stop()

    result = quotad("catalog", "check", str(plans))

    assert 0 == result.exit_code
    assert words(result)[0].startswith("ok 1 feature, 1 plan (digest ")


def test_of_two_files_of_the_same_name_the_path_shows_which_is_wrong(
    quotad: Run, plans: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    [file] = plans.iterdir()
    (other / file.name).write_text("features: {exports: {type: metred}}\n")

    result = quotad("catalog", "check", str(plans), str(other))

    assert result.stderr.startswith(f"{other}/{file.name}: features.exports.type: ")


def test_catalog_check_counts_what_there_is(quotad: Run, plans: Path) -> None:
    (plans / "more.yaml").write_text(
        "groups: {support: {entitlements: {}}}\n"
        "addons: {more: {entitlements: {api-calls: {add: 10}}}}\n"
    )

    result = quotad("catalog", "check", str(plans))
    as_json = json.loads(quotad("catalog", "check", str(plans), "--json").stdout)

    assert words(result)[0].startswith("ok 1 feature, 1 plan, 1 group, 1 add-on (digest ")
    assert (["support"], ["more"]) == (as_json["groups"], as_json["addons"])


@pytest.mark.parametrize("command", ["check", "diff", "publish"])
def test_bad_catalog_shows_every_problem_and_is_not_sent(
    quotad: Run, server: FakeServer, plans: Path, command: str
) -> None:
    (plans / "plans.yaml").write_text(PLANS.replace("month", "mounth").replace("metered", "meterd"))

    result = quotad("catalog", command, str(plans))
    as_json = quotad("catalog", command, str(plans), "--json")

    *problems, summary = result.stderr.splitlines()
    assert 2 == result.exit_code
    assert 1 <= len(problems)
    assert all(problem.startswith("plans.yaml") for problem in problems)
    assert summary.startswith(f"quotad: {len(problems)} problem")
    assert "BAD_CATALOG" == json.loads(as_json.stderr)["error"]["reason"]
    assert problems == json.loads(as_json.stderr)["error"]["problems"]
    assert "" == as_json.stdout
    assert [] == server.admin.requests


def test_missing_plan_file_is_one_line(quotad: Run, tmp_path: Path) -> None:
    result = quotad("catalog", "check", str(tmp_path / "none.yaml"))

    assert 2 == result.exit_code
    assert "No such file" in result.stderr


def test_problems_found_by_the_server_are_shown_one_per_line(
    quotad: Run, server: FakeServer, plans: Path
) -> None:
    problems = "plans.yaml: plans.a: wrong\nplans.yaml: plans.b: wrong"
    server.admin.failures.append(Fail(grpc.StatusCode.INVALID_ARGUMENT, problems, "BAD_CATALOG"))

    result = quotad("catalog", "publish", str(plans))

    assert 2 == result.exit_code
    assert f"{problems}\nquotad: 2 problems in the catalog\n" == result.stderr


def test_diff_shows_what_is_added_changed_and_removed(quotad: Run, plans: Path) -> None:
    result = quotad("catalog", "diff", str(plans))

    assert 0 == result.exit_code
    assert [
        "3 changes against version 1",
        "~ plans.free.entitlements.api-calls.limit: 1000 -> 2000",
        '+ plans.team: {"extends":"free"}',
        '- features.old: {"type":"boolean"}',
    ] == words(result)


def test_publish_sends_the_files_and_the_author(
    quotad: Run, server: FakeServer, plans: Path
) -> None:
    first = quotad("catalog", "publish", str(plans))
    again = quotad("catalog", "publish", str(plans), "--json")

    request = server.admin.requests[0]
    assert words(first)[0].startswith("published version 2 (digest ")
    assert [("plans.yaml", PLANS)] == [(file.name, file.content) for file in request.files]
    assert request.published_by.endswith("cli") or request.published_by.endswith("(cli)")
    assert not request.HasField("expected_version")
    assert "UNCHANGED" == json.loads(again.stdout)["outcome"]


def test_a_comment_is_sent_and_stands_in_the_history(
    quotad: Run, server: FakeServer, plans: Path
) -> None:
    assert "comment" not in words(quotad("catalog", "history"))[0]
    quotad("catalog", "publish", str(plans), "--comment", "More\nfor spring")
    quotad("catalog", "rollback", "1", "--comment", "too much")

    shown = words(quotad("catalog", "history"))
    assert shown[0].endswith("comment")
    assert (shown[1].endswith("too much"), shown[2].endswith("More for spring")) == (True, True)


@pytest.mark.parametrize("command", ["diff", "publish"])
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([], admin_pb2.APPLY_TO_UNSPECIFIED),
        (["--apply-to", "new"], admin_pb2.APPLY_TO_NEW),
        (["--apply-to", "all"], admin_pb2.APPLY_TO_ALL),
    ],
)
def test_whom_changed_plans_are_for_is_sent_as_given(
    quotad: Run, server: FakeServer, plans: Path, command: str, given: list[str], sent: int
) -> None:
    result = quotad("catalog", command, str(plans), *given)

    assert 0 == result.exit_code
    assert sent == server.admin.requests[0].apply_to


def test_changes_of_revisions_are_printed_in_a_line_each(
    quotad: Run, server: FakeServer, plans: Path
) -> None:
    server.admin.changes = [
        admin_pb2.CatalogChange(path=path, before=before, after=after)
        for path, before, after in [
            ("plans.free.revision", "", "2"),
            ("plans.free.earlier", "", "[1]"),
            ("plans.pro.earlier", "[1,2]", "[1,2,3]"),
            ("plans.max.earlier", "[1]", ""),
            ("plans.team.earlier", "[1,2,3]", "[3]"),
            ("plans.big.earlier.1.entitlements.sso", "true", ""),
        ]
    ]
    result = quotad("catalog", "diff", str(plans))

    assert [
        "+ plans.free.revision: 2",
        "+ plans.free: revision 1 kept for those who have it",
        "+ plans.pro: revision 3 kept for those who have it",
        "- plans.max: revision 1 ended, everybody has the latest",
        "- plans.team: revisions 1, 2 ended, those who have it get the next",
        "- plans.big.earlier.1.entitlements.sso: true",
    ] == words(result)[1:]


def test_publish_over_another_version_than_expected_is_refused(quotad: Run, plans: Path) -> None:
    result = quotad("catalog", "publish", str(plans), "--expected-version", "7")

    assert 2 == result.exit_code
    assert "quotad: version 1 is in force, not 7\n" == result.stderr


def test_history_lists_versions_newest_first_and_rollback_adds_one(
    quotad: Run, plans: Path
) -> None:
    quotad("catalog", "publish", str(plans))
    rolled_back = quotad("catalog", "rollback", "1")
    history = quotad("catalog", "history")
    as_json = json.loads(quotad("catalog", "history", "--json").stdout)

    assert words(rolled_back)[0].startswith("published version 3")
    assert ["3", "2", "1"] == [line.split()[0] for line in words(history)[1:]]
    assert " in force " in words(history)[1]
    assert [True, False, False] == [version["in_force"] for version in as_json["versions"]]


def test_show_prints_the_document_alone_on_stdout(quotad: Run) -> None:
    result = quotad("catalog", "show", "--version", "1")

    assert {"version": 1, "plans": {"free": {}}} == json.loads(result.stdout)
    assert result.stderr.startswith("version 1, digest ")


def test_the_plan_file_that_show_prints_inherits_the_rollouts_that_the_catalog_does(
    quotad: Run, server: FakeServer
) -> None:
    rolled_out = {"entitlements": {"editor": {"rollout": {"percent": 10}}, "sso": True}}
    plans = {"free": rolled_out, "pro": {"extends": "free", **rolled_out}}
    server.admin.documents = [{"version": 1, "plans": plans}]

    shown = json.loads(quotad("catalog", "show").stdout)["plans"]

    assert {"percent": 10, "inherit": True} == shown["free"]["entitlements"]["editor"]["rollout"]
    assert plans["pro"] == shown["pro"]


def test_show_prints_a_plan_file_and_revisions_only_when_asked_for(
    quotad: Run, server: FakeServer
) -> None:
    free: dict[str, object] = {"entitlements": {}}
    published = {**free, "revision": 3, "earlier": {"1": free, "2": free}}
    document = {"version": 1, "plans": {"free": published}, "gone": {"pro": 2}}
    server.admin.documents = [document]

    file = quotad("catalog", "show")
    whole = quotad("catalog", "show", "--revisions")

    assert {"version": 1, "plans": {"free": free}} == json.loads(file.stdout)
    assert document == json.loads(whole.stdout)
    assert (
        "plan free is at revision 3; kept for those who have it: revisions 1, 2"
        == file.stderr.splitlines()[1]
    )


def test_unknown_version_is_one_clear_line(quotad: Run) -> None:
    result = quotad("catalog", "show", "--version", "9")

    assert 2 == result.exit_code
    assert "quotad: catalog version 9 does not exist\n" == result.stderr


def test_catalog_check_names_rollouts_that_are_not_inherited_any_more(
    quotad: Run, plans: Path
) -> None:
    (plans / "plans.yaml").write_text(
        "version: 1\nfeatures: {editor: {type: boolean}}\n"
        "plans:\n  free: {entitlements: {editor: {rollout: {percent: 5}}}}\n"
        "  pro: {extends: free}\n"
    )

    result = quotad("catalog", "check", str(plans))
    as_json = json.loads(quotad("catalog", "check", str(plans), "--json").stdout)

    assert 0 == result.exit_code
    assert words(result)[1].startswith("note: plans.free.entitlements.editor.rollout: is for plan")
    assert 1 == len(as_json["notes"])
