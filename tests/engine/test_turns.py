"""Tasks take turns, and nobody waits for long."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from plait.engine import turns
from plait.engine.turns import OthersTurn, taking_turns


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 20.0)
    assert turns._turn.acquire(timeout=5)
    turns._turn.release()


def test_one_at_a_time() -> None:
    inside = most = 0

    def task() -> None:
        nonlocal inside, most
        for _ in range(200):
            with taking_turns:
                inside += 1
                most = max(most, inside)
                inside -= 1

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(task) for _ in range(4)]:
            done.result(timeout=60)
    assert most == 1


def test_another_comes_while_a_loop_runs() -> None:
    other = threading.Event()

    def task() -> None:
        with taking_turns:
            other.set()

    with ThreadPoolExecutor(1) as pool, taking_turns:
        second = pool.submit(task)
        with OthersTurn(10):  # too short to be worth it
            assert not other.wait(0.05)
        with OthersTurn():
            assert other.wait(20)
            second.result(timeout=20)
        assert turns._turn.locked()
    assert not turns._turn.locked()


def test_who_waited_long_enough_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 0.01)

    def task() -> bool:
        with taking_turns:
            with OthersTurn():
                pass
            return turns._turn.locked()

    with ThreadPoolExecutor(1) as pool:
        with taking_turns:
            assert pool.submit(task).result(timeout=20)  # by us, and still so afterwards
        assert not turns._turn.locked()


def test_the_turn_is_over_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), taking_turns, OthersTurn():
        _ = 1 // 0
    assert not turns._turn.locked()


def test_a_task_inside_a_task() -> None:
    with taking_turns:
        with taking_turns:
            assert turns._turn.locked()
        assert turns._turn.locked()  # the task around it still has its turn
        with OthersTurn():
            assert not turns._turn.locked()
        assert turns._turn.locked()
    assert not turns._turn.locked()
