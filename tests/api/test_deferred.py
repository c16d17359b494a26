"""plait.delayed and plait.compute."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd
import pytest

import plait
from plait.deferred import Delayed


@plait.delayed
def add(a: Any, b: Any = 0) -> Any:
    """Add."""
    return a + b


def test_nothing_runs_before_compute() -> None:
    ran = []
    node = plait.delayed(ran.append)(1)
    assert ran == []
    node.compute()
    assert ran == [1]


def test_calls_operators_and_attributes() -> None:
    x = add(1, b=2)
    assert isinstance(x, Delayed)
    assert x.compute() == 3
    assert ((x + 1) * 2 - x // 2).compute() == 7
    assert (10 - x).compute() == 7
    assert (-x).compute() == -3
    assert (x > 2).compute() is True
    assert add([1, 2], [3])[1:].compute() == [2, 3]
    assert plait.delayed("text").upper().compute() == "TEXT"
    assert add.__doc__ == "Add."


def test_nested_arguments() -> None:
    total = plait.delayed(sum)
    parts = {"a": [add(1, 1), (add(2, 2), 3)], "b": {"c": add(3, 3)}}
    keep = plait.delayed(lambda value: value)
    assert keep(parts).compute() == {"a": [2, (4, 3)], "b": {"c": 6}}
    assert total([add(i, i) for i in range(10)]).compute() == 90
    assert keep({add(1, 1), 5}).compute() == {2, 5}


def test_a_tree_runs_each_node_once() -> None:
    count, lock = [0], threading.Lock()

    @plait.delayed
    def slow() -> int:
        with lock:
            count[0] += 1
        return 1

    shared = slow()
    assert add(add(shared, shared), add(shared, 1)).compute() == 4
    assert count == [1]


def test_long_chains() -> None:
    node = add(0, 0)
    for _ in range(5000):
        node = add(node, 1)
    assert node.compute() == 5000
    assert len(node.graph()) == 5001


def test_several_at_once() -> None:
    shared = add(1, 1)
    frame = plait.from_pandas(pd.DataFrame({"x": [1, 2]}))
    values = plait.compute(shared, [shared + 1, {"k": shared * 2}], frame.x.sum(), "text", frame)
    assert values[:4] == (2, [3, {"k": 4}], 3, "text")
    assert values[4].x.tolist() == [1, 2]
    assert plait.compute() == ()


def test_frames_are_arguments() -> None:
    frame = plait.from_pandas(pd.DataFrame({"x": [1, 2, 3]}))
    assert plait.delayed(lambda df: df.x.tolist())(frame[frame.x > 1]).compute() == [2, 3]


def test_methods() -> None:
    class Counter:
        def __init__(self, start: int) -> None:
            self.value = start

        @plait.delayed
        def plus(self, n: int) -> int:
            return self.value + n

    assert Counter(5).plus(2).compute() == 7
    made = plait.delayed(Counter)(3)
    assert made.value.compute() == 3


def test_persist() -> None:
    node, frame = plait.persist(add(1, 2), plait.from_pandas(pd.DataFrame({"x": [1]})))
    assert node.compute() == 3
    assert frame.x.sum().compute() == 1


def test_errors_arrive() -> None:
    with pytest.raises(ZeroDivisionError):
        (add(1) / 0).compute()
    with pytest.raises(TypeError, match="compute"):
        bool(add(1))
    with pytest.raises(TypeError, match="compute"):
        list(add(1))


def test_own_session() -> None:
    with plait.connect("inline") as session:
        assert add(1, 2).compute(session) == 3
        assert plait.compute(add(1, 2), session=session) == (3,)
