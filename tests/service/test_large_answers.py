"""What was counted is never lost with an answer that is too large to arrive."""

import pytest

from quotad.decision import Decision, EntitlementSource, Explanation, Reason
from quotad.fronts.interface import MESSAGE_BYTES_MAX
from quotad.service.wire import batch_bytes, decision_bytes
from quotad.v1 import quota_pb2 as pb
from tests.running import Running

DEPTH = 20
BASES = [f"p{i}-{'x' * 240}" for i in range(DEPTH)]
"""Plans that extend each other, with long names: an explanation names all of them."""


def catalog() -> str:
    lines = [
        "version: 1",
        f"default_plan: {BASES[-1]}",
        "features: {calls: {type: metered}}",
        "plans:",
    ]
    for i, name in enumerate(BASES):
        extends = f"extends: {BASES[i - 1]}, " if i else ""
        lines.append(f"  {name}: {{{extends}entitlements: {{calls: {{limit: {5000 + i}}}}}}}")
    return "\n".join(lines)


def test_an_explained_batch_of_a_thousand_arrives_with_all_that_it_has_counted(
    served: Running, customer: str
) -> None:
    served.publish_and_wait(catalog())
    request = pb.CheckAndConsumeRequest(customer_id=customer, feature_id="calls", explain=True)

    answer = served.batch(*[request] * 1000)

    assert list(range(1, 1001)) == [each.response.used for each in answer.results]
    told = [each.response.explanation for each in answer.results]
    assert not told[0].left_out
    assert len(told[0].sources) >= DEPTH
    assert told[-1].left_out
    assert not told[-1].sources
    assert [1000] == list(served.counters(customer).values())


SOURCES = tuple(EntitlementSource(1, "p" * 256, False, "x" * 744) for _ in range(10))
EXPLAINED = Decision(
    False,
    int(Reason.LIMIT_EXCEEDED),
    limit=5,
    explanation=Explanation(SOURCES, 3, "5"),
    detailed=True,
)
VALUES = Decision(
    True,
    int(Reason.FEATURE_ENABLED),
    values=tuple(f"{i}{'v' * 250}" for i in range(99)),
    detailed=True,
)
COUNTED = Decision(True, int(Reason.WITHIN_LIMIT), 7, 1, 5)


def test_sources_are_left_out_from_the_end_on_until_an_answer_fits() -> None:
    read = pb.BatchCheckAndConsumeResponse.FromString(batch_bytes([EXPLAINED] * 1000))

    left_out = [each.response.explanation.left_out for each in read.results]
    assert sorted(left_out) == left_out
    assert MESSAGE_BYTES_MAX - 11_000 < read.ByteSize() <= MESSAGE_BYTES_MAX
    assert {(3, "5")} == {
        (told.missing, told.denied_by) for told in (r.response.explanation for r in read.results)
    }


def test_answers_with_many_values_are_refused_in_their_places_until_the_others_fit() -> None:
    answers = [COUNTED, VALUES, EXPLAINED, VALUES] * 250

    read = pb.BatchCheckAndConsumeResponse.FromString(batch_bytes(answers))

    assert read.ByteSize() <= MESSAGE_BYTES_MAX
    assert [1] * 250 == [each.response.granted for each in read.results[::4]]
    errors = [each.error for each in read.results if each.HasField("error")]
    assert {(8, "ANSWER_TOO_LARGE")} == {(error.code, error.reason) for error in errors}
    assert read.results[1].response.values  # some of them fit
    assert [True] * 250 == [each.response.explanation.left_out for each in read.results[2::4]]


@pytest.mark.parametrize(("count", "left_out"), [(1000, False), (3000, True)])
def test_one_explanation_is_bounded_too(count: int, left_out: bool) -> None:
    told = Explanation(tuple(SOURCES[:1] * count))
    answer = Decision(True, int(Reason.WITHIN_LIMIT), explanation=told, detailed=True)

    read = pb.CheckAndConsumeResponse.FromString(decision_bytes(answer))

    assert left_out == read.explanation.left_out
    assert (0 if left_out else count) == len(read.explanation.sources)
