"""What targets raise when an item is not sent."""


class Later(Exception):
    """The item cannot be sent now; it is tried again, and its queue waits.

    Args:
        why: in a sentence, without secrets.
        everything: nothing can be sent now, so all queues wait.
        definite: it is known that the item has not arrived.
    """

    def __init__(self, why: str, everything: bool = False, definite: bool = False) -> None:
        super().__init__(why)
        self.everything = everything
        self.definite = definite


class SetAside(Exception):
    """The item cannot be sent as it is, and has not arrived: it is parked, and what is behind it
    goes on.

    Args:
        why: in a sentence, without secrets.
        again_s: after which time it is tried again by itself; 0: when someone asks for it.
    """

    definite = True

    def __init__(self, why: str, again_s: float = 0) -> None:
        super().__init__(why)
        self.again_s = again_s


class Partly(Exception):
    """A step of the item is done: that is written down, then the item goes on.

    Args:
        state: of the item from now on.
    """

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state
