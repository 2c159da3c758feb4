"""At a stop the native front lets go of the answers that were given."""

import grpc

from quotad.fronts.native import NativeFront

METHOD = "/quotad.test.Service/Method"
CALLS = 300
ANSWER_BYTES = 50_000
"""Together more than sockets hold at once."""


def test_answers_that_were_given_before_a_stop_arrive() -> None:
    front = NativeFront("127.0.0.1:0", (), lambda _: None, (METHOD,))
    front.start()
    with grpc.insecure_channel(front.address) as channel:
        method = channel.unary_unary(METHOD)
        futures = [method.future(b"?") for _ in range(CALLS)]
        waiting: list[int] = []
        while len(waiting) < CALLS:
            waiting += [call.call_id for call in front.recv_batch(CALLS) or ()]

        front.answer([(call_id, b"!" * ANSWER_BYTES) for call_id in waiting])
        front.drain()
        front.stop()

        lost = [future.exception() for future in futures if future.exception() is not None]
        assert [] == lost
