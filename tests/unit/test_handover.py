"""Long work gives way to others, and everything is as before when it is done."""

import gc
import sys
import weakref
from typing import Any

import pytest

from quotad import handover


class Thing:
    """Something that a test can see die."""


def test_threads_take_turns_more_often_while_something_works() -> None:
    usual = sys.getswitchinterval()

    with handover.often(), handover.often():
        assert pytest.approx(handover.INTERVAL_S) == sys.getswitchinterval()
        assert not gc.isenabled()

    assert pytest.approx(usual) == sys.getswitchinterval()
    assert gc.isenabled()


def test_work_that_fails_leaves_everything_as_before() -> None:
    usual = sys.getswitchinterval()

    with pytest.raises(ValueError, match="bad"), handover.often():
        raise ValueError("bad")

    assert pytest.approx(usual) == sys.getswitchinterval()
    assert gc.isenabled()


def test_what_is_released_is_freed_and_what_others_use_stays() -> None:
    used = {"a": Thing()}
    parts: list[Any] = [used, {str(i): Thing() for i in range(1200)}]
    gone = weakref.ref(parts[1]["1199"])

    handover.release(parts)

    assert gone() is None
    assert isinstance(used["a"], Thing)
    assert [] == parts
