"""QuotaService asks about the token of each call, and once about what a batch shows again."""

from quotad.clock import SyncedClock
from quotad.decision import Decision, Reason
from quotad.engine.insights import Notes
from quotad.errors import QuotadError
from quotad.fronts.interface import Call
from quotad.operations.decisions import DecisionOperations
from quotad.service.decode import RequestDecoder
from quotad.service.guard import AUTHORIZATION, Guard
from quotad.service.quota import METHODS, Checked, QuotaService
from quotad.tokens.access import TokenTable
from quotad.tokens.record import WantedToken, made
from quotad.tokens.roles import TokenRole
from quotad.v1 import quota_pb2 as pb
from tests.given import Given, NoLists

CONSUME, BATCH, ENTITLEMENT = 0, 1, 2
ALL = METHODS.index("/quotad.v1.QuotaService/CheckAndConsumeAll")
FITS = Decision(True, Reason.WITHIN_LIMIT, 1, 1, 5, False, False, 1, 4)
CHECK_ONLY = pb.MODE_CHECK_ONLY

Shown = tuple[tuple[str, str], ...]


def asking(
    customer_id: str, feature_id: str = "calls", mode: pb.Mode = pb.MODE_UNSPECIFIED
) -> pb.CheckAndConsumeRequest:
    return pb.CheckAndConsumeRequest(customer_id=customer_id, feature_id=feature_id, mode=mode)


ACME = asking("acme").SerializeToString()


class Door:
    """A guard with one token, which notes what calls it has looked at."""

    def __init__(
        self, role: TokenRole, customers: tuple[str, ...] = (), features: tuple[str, ...] = ()
    ) -> None:
        token = made(WantedToken("one", role, customers, features), 0)
        table = TokenTable(SyncedClock())
        table.replace([token.record])
        self.good: Shown = ((AUTHORIZATION, f"Bearer {token.token}"),)
        self.looked_at: list[int] = []
        self._guard = Guard(table)

    def check(self, call: Call) -> Checked:
        self.looked_at.append(call.call_id)
        return self._guard.check(call)

    def lets_in(self, calls: list[Call]) -> list[bool]:
        """Have a batch answered; whether each call was let in."""
        decisions = DecisionOperations(Given(*[FITS] * len(calls) * 2), Notes(NoLists()))
        service = QuotaService(decisions, RequestDecoder(), self.check)
        parts = service.answer(calls)
        let_in = {i: not isinstance(each, QuotadError) for part in parts for i, each in part}
        return [let_in[call.call_id] for call in calls]

    def lets_in_each(self, asked: list[tuple[int, bytes]]) -> list[bool]:
        """The same of methods and requests, all with the token."""
        return self.lets_in(
            [Call(i, method, body, metadata=self.good) for i, (method, body) in enumerate(asked)]
        )


def test_calls_in_a_row_that_show_the_same_are_looked_at_once_and_wrong_ones_each() -> None:
    door = Door(TokenRole.CONSUME)
    good, bad = door.good, ((AUTHORIZATION, door.good[0][1][:-1] + "?"),)
    equal = ((AUTHORIZATION, "".join(list(good[0][1]))),)
    shown: list[Shown] = [good, good, bad, bad, good, equal, (), good]

    let_in = door.lets_in([Call(i, CONSUME, ACME, metadata=one) for i, one in enumerate(shown)])

    assert [one == good for one in shown] == let_in
    assert [0, 2, 3, 6] == door.looked_at


def test_each_request_is_the_doing_of_the_token_that_its_call_has_shown() -> None:
    tokens = {name: made(WantedToken(name, TokenRole.CONSUME), 0) for name in ("web", "jobs")}
    table = TokenTable(SyncedClock())
    table.replace([each.record for each in tokens.values()])
    shown: dict[str, Shown] = {
        name: ((AUTHORIZATION, f"Bearer {token.token}"),) for name, token in tokens.items()
    } | {"": ()}
    engine = Given(*[FITS] * 20)
    decisions = DecisionOperations(engine, Notes(NoLists()))
    service = QuotaService(decisions, RequestDecoder(), Guard(table).check)
    one = asking("acme")
    batch = pb.BatchCheckAndConsumeRequest(requests=[one, one]).SerializeToString()
    calls = [("web", CONSUME), ("web", CONSUME), ("", CONSUME), ("jobs", CONSUME), ("jobs", BATCH)]
    calls += [("web", BATCH), ("web", CONSUME)]
    bodies = {CONSUME: ACME, BATCH: batch}

    list(
        service.answer(
            [
                Call(i, method, bodies[method], metadata=shown[name])
                for i, (name, method) in enumerate(calls)
            ]
        )
    )

    taken = [*["web"] * 2, "jobs", "web", *["jobs"] * 2, *["web"] * 2]
    assert [(name, "grpc") for name in taken] == engine.takers


def test_each_batch_each_method_and_each_other_call_is_looked_at_by_itself() -> None:
    door = Door(TokenRole.CONSUME)
    methods = (CONSUME, BATCH, ENTITLEMENT, ENTITLEMENT, CONSUME)

    door.lets_in_each([(method, ACME if method != BATCH else b"") for method in methods])
    door.lets_in_each([(CONSUME, ACME)])

    assert [0, 1, 2, 3, 4, 0] == door.looked_at


def test_what_a_token_does_not_cover_is_refused_in_every_call_that_shows_it() -> None:
    items = [pb.ConsumeItem(feature_id=name) for name in ("calls", "mails")]
    asked: list[tuple[int, bytes, bool]] = [
        (CONSUME, ACME, True),
        (CONSUME, asking("other").SerializeToString(), False),
        (CONSUME, asking("acme", "mails").SerializeToString(), False),
        (CONSUME, ACME, True),
    ]
    for also, covered in (("acme", True), ("other", False)):
        batch = pb.BatchCheckAndConsumeRequest(requests=[asking("acme"), asking(also)])
        asked.append((BATCH, batch.SerializeToString(), covered))
    for several, covered in ((items[:1], True), (items, False)):
        together = pb.CheckAndConsumeAllRequest(customer_id="acme", items=several)
        asked.append((ALL, together.SerializeToString(), covered))

    let_in = Door(TokenRole.CONSUME, ("acme",), ("calls",)).lets_in_each(
        [(method, body) for method, body, _ in asked]
    )

    assert [covered for _, _, covered in asked] == let_in


def test_a_token_that_reads_may_check_and_not_consume_in_whatever_order_it_asks() -> None:
    check = asking("acme", mode=CHECK_ONLY)
    checks = pb.BatchCheckAndConsumeRequest(requests=[check, check]).SerializeToString()
    mixed = pb.BatchCheckAndConsumeRequest(requests=[check, asking("acme")]).SerializeToString()
    item = pb.ConsumeItem(feature_id="calls")
    alls = [
        pb.CheckAndConsumeAllRequest(customer_id="acme", items=[item], mode=mode)
        for mode in (CHECK_ONLY, pb.MODE_UNSPECIFIED)
    ]

    let_in = Door(TokenRole.READ).lets_in_each(
        [
            (CONSUME, check.SerializeToString()),
            (CONSUME, ACME),
            (CONSUME, check.SerializeToString()),
            (BATCH, checks),
            (BATCH, mixed),
            *((ALL, each.SerializeToString()) for each in alls),
        ]
    )

    assert [True, False, True, True, False, True, False] == let_in
