"""`quotad tokens`, on a store of its own."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from tests.service.command_line import Run

Tokens = Callable[..., Result]


@pytest.fixture
def tokens(quotad: Run, store_url: str, prefix: str) -> Tokens:
    def call(*words: str) -> Result:
        return quotad("tokens", *words, "--redis-url", store_url, "--prefix", prefix)

    return call


def made(tokens: Tokens, *words: str) -> Any:
    result = tokens("create", "--json", *words)
    assert 0 == result.exit_code, result.stderr
    return json.loads(result.stdout)


def test_a_token_is_printed_once_and_alone(tokens: Tokens) -> None:
    result = tokens("create", "--name", "ops", "--role", "admin")

    assert 0 == result.exit_code
    (token,) = result.stdout.splitlines()
    assert token.startswith("qd_")
    assert "This is the only time that it is shown.\n" == result.stderr
    listed = tokens("list")
    assert token.split("_")[1] in listed.stdout
    assert token.rpartition("_")[2] not in listed.stdout + tokens("list", "--json").stdout


def test_tokens_are_listed_with_what_they_cover(tokens: Tokens) -> None:
    made(tokens, "--name", "ops", "--role", "admin")
    made(tokens, "--name", "api", "--role", "consume", "--customer", "team-*", "--feature", "calls")
    revoked = made(tokens, "--name", "old", "--role", "read")
    assert f"revoked {revoked['token_id']} (old)\n" == tokens("revoke", revoked["token_id"]).stdout

    rows = [line.split() for line in tokens("list").stdout.splitlines()]

    assert [
        ["ops", "admin", "everything", "never", "yes"],
        ["api", "consume", "team-*,", "calls", "never", "yes"],
        ["old", "read", "everything", "never", "revoked"],
    ] == [row[1:] for row in rows[1:]]


def test_a_client_token_comes_with_its_signing_key(tokens: Tokens) -> None:
    made(tokens, "--name", "ops", "--role", "admin")

    browser = made(tokens, "--name", "web", "--role", "client")

    assert 43 == len(browser["signing_key"])
    assert "signing_key" not in tokens("list", "--json").stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["create", "--name", "x", "--role", "king"], "must be one of client, consume, read"),
        (["create", "--name", "x", "--role", "read"], "the first token must have the role admin"),
        (["create", "--name", " ", "--role", "admin"], "name: must have 1 to 200 bytes"),
        (
            ["create", "--name", "x", "--role", "admin", "--expires", "2020-01-01"],
            "expires: is over",
        ),
        (["create", "--name", "x", "--role", "admin", "--customer", "a"], "leave scopes out"),
        (["revoke", "nothing"], "token_id: there is no token 'nothing'"),
        (["rotate", "nothing"], "token_id: there is no token 'nothing'"),
    ],
)
def test_what_cannot_be_made_or_ended_is_refused_in_one_line(
    tokens: Tokens, words: list[str], problem: str
) -> None:
    result = tokens(*words)

    assert 2 == result.exit_code
    assert problem in result.stderr
    assert 1 == len(result.stderr.splitlines())


def test_a_store_that_is_not_there_or_lets_nobody_in_is_named_with_the_reason(
    quotad: Run, store_url: str
) -> None:
    for url, line in (
        (
            "redis://:s3cret@127.0.0.1:1",
            "quotad: the store at redis://127.0.0.1:1 is not available: Connection refused\n",
        ),
        (
            store_url.replace("://", "://nobody:s3cret@"),
            f"quotad: the store at {store_url} is not available: invalid username-password pair"
            " (redis_url)\n",
        ),
    ):
        result = quotad("tokens", "list", "--redis-url", url)

        assert (2, line) == (result.exit_code, result.stderr)


def test_a_rotated_token_and_its_successor_both_live(tokens: Tokens) -> None:
    first = made(tokens, "--name", "ops", "--role", "admin")

    second = json.loads(tokens("rotate", first["token_id"], "--json").stdout)

    assert second["token"] != first["token"]
    listed = json.loads(tokens("list", "--json").stdout)["tokens"]
    assert [True, True] == [each["live"] for each in listed]
    assert [True, False] == [each["expires_at"] is not None for each in listed]
