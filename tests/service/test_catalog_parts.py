"""Catalogs that do not fit into one message travel in parts, up to the limit of all catalogs."""

import threading
import uuid
from collections.abc import Iterator

import grpc
import pytest

from quotad.catalog.bounds import BYTES_MAX, TOO_LARGE
from quotad.client.admin import AdminClient, CatalogFile
from quotad.client.catalogs import MESSAGE_BYTES, PART_CHARACTERS, files, parts
from quotad.client.errors import QuotaInvalid
from quotad.service.catalog_parts import UPLOADS_MAX
from quotad.v1 import admin_pb2 as pb
from tests.running import FRONTS, Running, running

PLANS = """
version: 1
features: {f: {type: metered}}
plans: {free: {entitlements: {f: {limit: 5}}}}
"""
COMMENT = "# " + "ü" * 1000 + "\n"


@pytest.fixture(scope="module", params=FRONTS)
def served(request: pytest.FixtureRequest, store_url: str) -> Iterator[Running]:
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}", request.param) as made:
        yield made


def large(size: int, limit: int = 5) -> list[CatalogFile]:
    """A catalog of so many bytes in two files."""
    text = PLANS.replace("5", str(limit))
    comments = COMMENT * (size // len(COMMENT.encode()) // 2)
    return [CatalogFile("a.yaml", comments), CatalogFile("b.yaml", text + comments)]


def test_a_catalog_near_the_limit_is_published_and_compared(served: Running) -> None:
    size = BYTES_MAX - 10_000
    with AdminClient(served.server.address) as admin:
        done = admin.publish(large(size), published_by="me")
        found = admin.diff(large(size, limit=7))

    assert ("PUBLISHED", "me") == (done.outcome, done.version.published_by)
    assert [("5", "7")] == [(change.before, change.after) for change in found.changes]
    assert 1 == found.changes_count


def test_one_beyond_the_limit_is_refused_with_the_message_of_every_place(served: Running) -> None:
    with (
        AdminClient(served.server.address) as admin,
        pytest.raises(QuotaInvalid, match=f"the catalog is {TOO_LARGE}") as caught,
    ):
        admin.publish(large(BYTES_MAX + 10_000))

    assert "BAD_CATALOG" == caught.value.reason


def test_a_bad_catalog_in_parts_is_refused_with_every_problem(served: Running) -> None:
    a, b = large(MESSAGE_BYTES + 100_000)
    with AdminClient(served.server.address) as admin, pytest.raises(QuotaInvalid) as caught:
        admin.publish([a, CatalogFile("b.yaml", b.content.replace("metered", "meterd"))])

    assert "b.yaml: features.f.type: unknown type 'meterd'" in str(caught.value)


def test_parts_have_the_text_and_the_names_of_the_whole() -> None:
    whole = pb.PublishCatalogRequest(
        files=files([*large(MESSAGE_BYTES * 2), CatalogFile("c.yaml", "")]),
        published_by="me",
        expected_version=3,
    )

    found = parts(whole)

    texts: list[tuple[str, str]] = []
    for file in (file for part in found for file in part.files):
        if file.continued:
            name, before = texts.pop()
            assert name == file.name
            texts.append((name, before + file.content))
        else:
            texts.append((file.name, file.content))
    assert [(file.name, file.content) for file in whole.files] == texts
    assert ("me", 3) == (found[0].published_by, found[0].expected_version)
    assert all(part.ByteSize() <= 4 * PART_CHARACTERS + 1000 for part in found)
    assert [whole] == parts(whole) or len(found) > 2


def test_a_small_request_is_one_message() -> None:
    whole = pb.DiffCatalogRequest(files=[pb.CatalogFile(name="a.yaml", content=PLANS)])

    assert [whole] == parts(whole)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ([], "files: missing; give at least one plan file"),
        ([pb.PublishCatalogRequest()], "files: missing; give at least one plan file"),
        (
            [pb.PublishCatalogRequest(files=[pb.CatalogFile(content="a", continued=True)])],
            "files[0].continued: there is no file before it",
        ),
    ],
    ids=["nothing", "no file", "the end of nothing"],
)
def test_parts_that_make_no_catalog_are_refused(
    served: Running, sent: list[pb.PublishCatalogRequest], why: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        served.admin.PublishCatalogParts(iter(sent), timeout=20)

    assert (grpc.StatusCode.INVALID_ARGUMENT, why) == (caught.value.code(), caught.value.details())


def test_only_a_few_requests_may_be_under_way_in_parts(served: Running) -> None:
    end = threading.Event()
    part = pb.PublishCatalogRequest(files=[pb.CatalogFile(name="a.yaml", content=PLANS)])

    def dripping() -> Iterator[pb.PublishCatalogRequest]:
        yield part
        end.wait(20)

    call = served.admin.PublishCatalogParts
    ended = threading.Event()
    waiting = [call.future(dripping(), timeout=20) for _ in range(UPLOADS_MAX + 1)]
    for each in waiting:
        each.add_done_callback(lambda _: ended.set())
    assert ended.wait(20)
    [busy] = [each for each in waiting if each.done()]
    end.set()

    assert grpc.StatusCode.UNAVAILABLE == busy.code()
    assert "other catalogs are being sent already" in busy.details()
    assert {1, 2} >= {each.result().outcome for each in waiting if each is not busy}
