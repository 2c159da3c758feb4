"""A server that is started while its store is gone answers by what was last known of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quotad.config import Config
from quotad.server.last_known import FOLDER
from quotad.server.tokens import token_operations
from quotad.tokens.record import WantedToken
from quotad.tokens.roles import TokenRole
from quotad.v1 import quota_pb2 as pb
from tests.integration.own_store import OwnStore, own_store
from tests.integration.test_fallback import CATALOG, SETTINGS, answer, by_feature, counters
from tests.running import eventually, refusal, running


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start(appendonly="yes", appendfsync="always")
        yield made


def kept(directory: Path) -> list[Path]:
    return list((directory / FOLDER).glob("*"))


def settings(directory: Path) -> dict[str, Any]:
    return SETTINGS | {"journal": str(directory)}


def test_it_answers_by_the_catalog_that_was_kept_and_decides_by_the_one_in_force(
    store: OwnStore, tmp_path: Path
) -> None:
    directory = tmp_path / "j"
    with running(store.url, "q", **settings(directory)) as server:
        server.publish_and_wait(CATALOG)
        (file,) = eventually(lambda: kept(directory), bool)
    assert 0o600 == file.stat().st_mode & 0o777
    with running(store.url, "q", **SETTINGS) as other:
        other.publish_and_wait(CATALOG.replace("limit: 100", "limit: 7"))
    store.kill()

    with running(store.url, "q", **settings(directory)) as server:
        server.wait_ready()
        assert 100 == server.consume("acme", "calls", quantity=3).limit
        assert server.consume("acme", "export").is_fallback
        assert "UNAVAILABLE" == refusal(lambda: server.consume("acme", "strict")).code.name

        store.start(appendonly="yes")
        decided = answer(server, "calls", False, mode=pb.MODE_CHECK_ONLY)
        assert (7, 2) == (decided.limit, decided.catalog_version)
        eventually(lambda: by_feature(counters(store)), lambda found: found == {"calls": 3})


def test_it_asks_for_the_tokens_that_were_kept_and_uses_no_damaged_file(
    store: OwnStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "j"
    config = Config(redis_url=store.url, prefix="q", shards=8)
    with running(store.url, "q", **settings(directory)) as server:
        server.publish_and_wait(CATALOG)
    with token_operations(config) as tokens:
        made = tokens.create(WantedToken("app", TokenRole.ADMIN))
    shown = (("authorization", f"Bearer {made.token}"),)
    request = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls")
    with running(store.url, "q", **settings(directory)) as server:
        server.wait_ready()
        token_id = made.record.token_id.encode()
        eventually(lambda: token_id in kept(directory)[0].read_bytes(), bool)
    store.kill()

    with running(store.url, "q", **settings(directory)) as server:
        server.wait_ready()
        assert server.quota.CheckAndConsume(request, metadata=shown).is_fallback
        assert "UNAUTHENTICATED" == refusal(lambda: server.consume("acme", "calls")).code.name
    (file,) = kept(directory)
    assert made.token.encode() not in file.read_bytes()
    file.write_bytes(file.read_bytes()[:-1] + b"?")

    with running(store.url, "q", **settings(directory)) as server:
        eventually(lambda: caplog.text, lambda text: f"{file} is damaged" in text)
        call = refusal(lambda: server.quota.CheckAndConsume(request, metadata=shown))
        assert "UNAVAILABLE" == call.code.name
