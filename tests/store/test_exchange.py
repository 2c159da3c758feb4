"""Commands of a cluster go where servers send them, and never for ever."""

from contextlib import closing
from time import monotonic
from typing import Any

import pytest

from quotad.errors import StoreUnavailable, is_unsent
from quotad.store import Store, scripts
from quotad.store.exchange import ROUNDS_MAX
from quotad.store.refusals import ErrorReply, timed_out


def test_servers_that_send_a_command_to_and_fro_are_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.whole:
        return
    router: Any = store._router
    sent: list[int] = []
    first, second, _ = [node.address for node in router.nodes]

    def send(groups: Any, _: float) -> Any:
        sent.append(1)
        other = {first.port: second, second.port: first}
        return {
            node: [ErrorReply(f"MOVED 0 {first.host}:{other.get(node.address.port, first).port}")]
            for node in groups
        }

    monkeypatch.setattr("quotad.store.cluster._in_turn", send)
    with pytest.raises(StoreUnavailable, match="no server of the cluster has"):
        store.execute("GET", "q:{ba}:x")

    assert ROUNDS_MAX < len(sent) < 2 * ROUNDS_MAX


@pytest.mark.parametrize(
    ("word", "unsent"), [("CLUSTERDOWN", True), ("TRYAGAIN", True), ("OOM", False), ("", False)]
)
def test_what_a_server_has_not_run_can_be_answered_otherwise(
    store_url: str, monkeypatch: pytest.MonkeyPatch, word: str, unsent: bool
) -> None:
    with closing(Store(store_url, timeout_ms=50)) as store:
        if store.whole:
            return
        link: Any = store.connect()
        failed = ErrorReply(f"{word} x") if word else timed_out("a node")

        def send(groups: Any, _: float) -> Any:
            return {node: [failed] if word else failed for node in groups}

        monkeypatch.setattr(link, "_at_once", send)

        (error,) = link.run_many(scripts.load("read_slots"), [(1, "q:{ba}:x")], monotonic() + 0.05)

        assert isinstance(error, StoreUnavailable)
        assert unsent == is_unsent(error)


def test_a_slot_that_was_waited_for_in_vain_is_waited_for_when_it_is_another_thing(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(store_url, timeout_ms=100)) as store:
        if store.whole:
            return
        answers: list[str] = []

        def send(groups: Any, _: float) -> Any:
            word = answers.pop(0) if len(answers) > 1 else answers[0]
            return {node: [ErrorReply(f"{word} x") if word else b"1"] for node in groups}

        monkeypatch.setattr("quotad.store.cluster._in_turn", send)
        answers[:] = ["TRYAGAIN"]
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="TRYAGAIN"):
                store.execute("GET", "q:{ba}:x")
        # The slot has arrived, where its server is not up yet.
        router: Any = store._router
        router._timeout_s = 30.0
        answers[:] = ["CLUSTERDOWN", "CLUSTERDOWN", ""]
        assert b"1" == store.execute("GET", "q:{ba}:x")
