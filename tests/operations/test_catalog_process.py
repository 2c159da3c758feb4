"""Catalogs that are not small are worked out in a process of their own, one at a time."""

import subprocess
import threading
from pathlib import Path

import msgspec
import pytest

from quotad.catalog import Source, parse
from quotad.catalog.prepare import Prepared, Request, prepare
from quotad.errors import Busy, CatalogError
from quotad.operations import catalog_process
from quotad.operations.catalog_child import EXIT_IDLE, EXIT_SERVER_GONE
from quotad.operations.catalog_process import CHILD, SMALL_BYTES, WAITING_MAX, CatalogProcess

HEAD = "version: 1\nfeatures: {f: {type: metered}}\n"
PLANS = HEAD + "plans: {free: {entitlements: {f: {limit: 5}}}}\n"
LARGE = PLANS + "#" * SMALL_BYTES
ALIASES = HEAD + "plans: {free: &free {entitlements: {f: {limit: 5}}}, pro: *free}\n"


def request(text: str, in_force: bytes | None = None) -> Request:
    return Request(files=(Source("plans.yaml", text),), in_force=in_force)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The processes that were started, by their arguments."""
    found: list[list[str]] = []
    popen = subprocess.Popen

    def noted(args: list[str], **kwargs: int) -> subprocess.Popen[bytes]:
        found.append(args)
        return popen(args, **kwargs)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(subprocess, "Popen", noted)
    return found


@pytest.fixture
def reader() -> CatalogProcess:
    return CatalogProcess(60_000, 1024)


def test_a_small_catalog_needs_no_process(reader: CatalogProcess, started: list[list[str]]) -> None:
    assert prepare(request(PLANS)) == reader.prepare(request(PLANS))
    assert [] == started


@pytest.mark.parametrize("text", [LARGE, ALIASES], ids=["large", "with aliases"])
def test_one_that_is_not_small_or_may_grow_comes_back_from_a_process_the_same(
    reader: CatalogProcess, started: list[list[str]], text: str
) -> None:
    in_force = parse([Source("plans.yaml", PLANS.replace("5", "7"))]).document

    found = reader.prepare(request(text, in_force))

    assert prepare(request(text, in_force)) == found
    assert found.changes_count == len(found.changes) > 0
    assert 1 == len(started)


def test_a_process_that_was_started_ahead_takes_the_next_request(
    reader: CatalogProcess, started: list[list[str]]
) -> None:
    reader.warm(request(PLANS))
    assert [] == started  # a small one needs none
    reader.warm(request(LARGE))
    reader.warm(request(LARGE))
    assert 1 == len(started)

    assert prepare(request(LARGE)) == reader.prepare(request(LARGE))
    assert 1 == len(started)
    reader.prepare(request(LARGE))
    reader.warm(request(LARGE))
    assert 3 == len(started)
    reader.close()


def test_one_that_has_waited_for_nothing_ends_and_is_replaced(started: list[list[str]]) -> None:
    reader = CatalogProcess(60_000, 1024, idle_s=0.0)
    reader.warm(request(LARGE))
    spare = reader._spare
    assert spare is not None
    assert EXIT_IDLE == spare.wait(30)
    reader._idle_s = 60.0

    assert prepare(request(LARGE)) == reader.prepare(request(LARGE))
    assert 2 == len(started)
    reader.close()


def test_what_is_over_a_large_catalog_is_not_small(
    reader: CatalogProcess, started: list[list[str]]
) -> None:
    features = ", ".join(f"f{i}: {{type: metered}}" for i in range(SMALL_BYTES // 20))
    in_force = parse([Source("plans.yaml", f"version: 1\nfeatures: {{{features}}}\n")]).document

    assert len(in_force) > SMALL_BYTES
    assert reader.prepare(request(PLANS, in_force)).changes_count > 100
    assert 1 == len(started)


def test_every_problem_comes_back_from_the_process(reader: CatalogProcess) -> None:
    bad = LARGE.replace("limit: 5", "limit: -5").replace("metered", "meterd")

    with pytest.raises(CatalogError) as caught:
        reader.prepare(request(bad))
    with pytest.raises(CatalogError) as expected:
        prepare(request(bad))

    assert expected.value.problems == caught.value.problems


def test_a_catalog_that_takes_too_long_is_refused() -> None:
    with pytest.raises(CatalogError, match="takes longer than") as caught:
        CatalogProcess(1, 1024).prepare(request(LARGE))

    assert (
        f"the catalog of {len(LARGE):,} bytes "
        "takes longer than 0.001 s to read (catalog_timeout_ms)",
    ) == caught.value.problems


def test_a_catalog_that_takes_too_much_memory_is_refused() -> None:
    maps = Source("a.json", '{"a": [' + ", ".join(['{"a": 1}'] * 400_000) + "]}")

    with pytest.raises(CatalogError, match="takes more than") as caught:
        CatalogProcess(60_000, 90).prepare(Request(files=(maps,)))

    assert (
        f"the catalog of {len(maps.text):,} bytes "
        "takes more than 90 MB to read (catalog_memory_mb)",
    ) == caught.value.problems


def test_a_module_of_the_working_directory_takes_the_place_of_no_library(
    reader: CatalogProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)

    assert prepare(request(LARGE)) == reader.prepare(request(LARGE))


@pytest.mark.parametrize("sent", [1.0, 0.5, 0.0], ids=["all", "half", "nothing"])
def test_a_process_whose_server_has_ended_ends_without_a_word(sent: float) -> None:
    asked = msgspec.msgpack.encode(request(LARGE))
    child = subprocess.Popen(
        [*CHILD, "1024", "60"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin
    assert child.stdout
    assert child.stderr
    with child, child.stderr:
        child.stdout.close()
        child.stdin.write(asked[: int(sent * len(asked))])
        child.stdin.close()

        assert b"" == child.stderr.read()
    assert EXIT_SERVER_GONE == child.returncode


class Gate:
    """A `prepare` that waits until it is let through."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.inside = self.most = 0

    def __call__(self, request: Request) -> Prepared:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.release()
        assert self.open.wait(20)
        self.inside -= 1
        return prepare(request)


def test_one_at_a_time_a_few_wait_and_the_others_are_refused_at_once(
    reader: CatalogProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(catalog_process, "prepare", gate)
    done: list[Prepared] = []
    threads = [
        threading.Thread(target=lambda: done.append(reader.prepare(request(PLANS))))
        for _ in range(1 + WAITING_MAX)
    ]
    for thread in threads:
        thread.start()
    assert gate.entered.acquire(timeout=20)
    while reader._places._value:
        assert any(thread.is_alive() for thread in threads)

    with pytest.raises(Busy):
        reader.prepare(request(PLANS))

    gate.open.set()
    for thread in threads:
        thread.join(20)
    assert (1 + WAITING_MAX, 1) == (len(done), gate.most)
    assert reader.prepare(request(PLANS)) == done[0]


def test_a_turn_is_waited_for_only_so_long(
    reader: CatalogProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(catalog_process, "prepare", gate)
    monkeypatch.setattr(catalog_process, "WAIT_S", 0.01)
    thread = threading.Thread(target=lambda: reader.prepare(request(PLANS)))
    thread.start()
    assert gate.entered.acquire(timeout=20)

    with pytest.raises(Busy, match="another catalog is still being read"):
        reader.prepare(request(PLANS))

    gate.open.set()
    thread.join(20)
