"""The switch interval is short while a fragment runs, and the user's own afterwards."""

from __future__ import annotations

import sys
import threading

import pytest

from plait.engine.switching import BriskSwitching


@pytest.fixture(autouse=True)
def own_interval() -> object:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    yield
    sys.setswitchinterval(before)


def test_short_inside_and_restored() -> None:
    brisk = BriskSwitching()
    with brisk:
        assert sys.getswitchinterval() < 0.001
        with brisk:
            pass
        assert sys.getswitchinterval() < 0.001
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_restored_after_an_error() -> None:
    with pytest.raises(ValueError, match="enough"), BriskSwitching():
        raise ValueError("enough")
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_restored_by_the_last_thread() -> None:
    brisk = BriskSwitching()
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with brisk:
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with brisk:
        thread.start()
        assert entered.wait(10)
    assert sys.getswitchinterval() < 0.001
    leave.set()
    thread.join()
    assert sys.getswitchinterval() == pytest.approx(0.004)


def test_a_shorter_one_stays() -> None:
    sys.setswitchinterval(1e-5)
    with BriskSwitching():
        assert sys.getswitchinterval() == pytest.approx(1e-5)
