"""`POST /v1/consume` without a task: from the bytes of a request to those of its answer.

The way through the application costs as much as all that is done for a decision besides. Here the
same functions run as callbacks: what admits, reads, decides and writes is that of the operation.
What is unusual (of a browser's page, with a query, large, pipelined) takes the long way.
"""

import logging
from collections.abc import Callable
from functools import partial

import msgspec
from starlette.types import Scope

from quotad.errors import QuotadError, internal_error
from quotad.http.answers import decision_answer
from quotad.http.bodies import read
from quotad.http.consume import CHECK_ONLY, Consume, consume_request
from quotad.http.deciding import Deciding, DecisionOrError
from quotad.http.fields import idempotency_key
from quotad.http.operation import Admit, Headers
from quotad.http.ratelimit import ratelimit_headers
from quotad.http.responses import JSON, encode, refusal
from quotad.tokens.roles import Right
from quotad.tokens.scopes import check_scope

PATH = b"/v1/consume"
ORIGIN = b"origin"
"""A header of browsers' pages, whose requests take the long way."""

SendAnswer = Callable[[int, Headers, bytes], None]
"""Takes status, headers and body."""

_log = logging.getLogger("quotad.http")


class DirectConsume:
    """Answers one path; all methods are for the event loop alone.

    Args:
        deciding: what decides.
        admit: checks who a request comes from.
    """

    def __init__(self, deciding: Deciding, admit: Admit) -> None:
        self._deciding = deciding
        self._admit = admit
        self._decoder = msgspec.json.Decoder(Consume)

    def answer(self, scope: Scope, body: bytes, send: SendAnswer) -> None:
        """Answer a request, now or when it is decided."""
        try:
            caller = self._admit(scope, Right.CHECK)
            wanted = read(self._decoder, body)
            if wanted.mode != CHECK_ONLY:
                caller.access.check(Right.CONSUME)
            if caller.access.scoped:
                check_scope(caller.access, "CheckAndConsume", wanted)
            request = consume_request(wanted, idempotency_key(scope, wanted.idempotency_key))
            settle = partial(_settle, send, request.feature_id)
            self._deciding.decide_then(request, caller.taker, settle)
        except QuotadError as error:
            send(*refusal(error))
        except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.exception("a request failed")
            send(*refusal(internal_error()))


def _settle(send: SendAnswer, feature_id: str, answer: DecisionOrError) -> None:
    if isinstance(answer, QuotadError):
        send(*refusal(answer))
        return
    try:
        body, headers = encode(decision_answer(answer)), ratelimit_headers(feature_id, answer)
    except Exception:  # noqa: BLE001 (what was taken is to be answered somehow)
        _log.exception("a request failed")
        send(*refusal(internal_error()))
        return
    headers.append(JSON)
    send(200, headers, body)
