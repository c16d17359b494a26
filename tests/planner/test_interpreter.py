"""Settings hold while somebody is inside; the user's own come back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from plait.planner.interpreter import Meanwhile, deep_trees


@pytest.fixture(autouse=True)
def own_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    yield
    sys.setswitchinterval(before)


def short() -> Meanwhile[float]:
    return Meanwhile(sys.getswitchinterval, sys.setswitchinterval, lambda t: min(t, 0.0005))


def test_set_inside_and_restored() -> None:
    setting = short()
    with setting:
        assert sys.getswitchinterval() == pytest.approx(0.0005)
        with setting:
            pass
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_restored_after_an_error() -> None:
    with pytest.raises(ValueError, match="enough"), short():
        raise ValueError("enough")
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_restored_by_the_last_thread() -> None:
    setting = short()
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with setting:
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with setting:
        thread.start()
        assert entered.wait(10)
    assert sys.getswitchinterval() == pytest.approx(0.0005)
    leave.set()
    thread.join()
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_a_better_one_of_the_users_stays() -> None:
    sys.setswitchinterval(1e-5)
    with short():
        assert sys.getswitchinterval() == pytest.approx(1e-5)


def test_deep_trees_as_a_decorator() -> None:
    def depth(n: int) -> int:
        return n if n == 0 else 1 + depth(n - 1)

    assert deep_trees(depth)(3000) == 3000
    assert sys.getrecursionlimit() < 3000
