"""plait.delayed and plait.compute."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import plait
import plait.session
from plait.deferred import Delayed
from plait.errors import PlanError
from plait.scheduler.local import ThreadExecutor


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
    for _ in range(10_000):
        node = add(node, 1)
    assert node.compute() == 10_000
    assert len(node.graph()) == 10_001


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


def test_errors_name_the_call() -> None:
    def broken(x: int) -> int:
        raise KeyError(x)

    with pytest.raises(KeyError) as caught:
        add(plait.delayed(broken)(1), 1).compute()
    assert "'broken'" in caught.value.__notes__[0]


def test_several_results_of_one_call() -> None:
    quotient, rest = plait.delayed(divmod, nout=2)(7, 2)
    assert plait.compute(quotient, rest) == (3, 1)
    with pytest.raises(TypeError, match="nout"):
        len(add(1))
    with pytest.raises(ValueError, match="not -1"):
        plait.delayed(divmod, nout=-1)


def counted(**options: Any) -> tuple[Any, list[Any]]:
    made: list[Any] = []

    def note(*args: Any) -> Any:
        made.append(args)
        return args

    return plait.delayed(note, **options), made


def test_equal_pure_calls_run_once() -> None:
    note, made = counted(pure=True)
    box: list[int] = [1]
    values = [note(1), note(1), note(note(1), [2]), note(note(1), [2]), note(box)]
    assert plait.compute(*values)[2] == ((1,), [2])
    assert len(made) == 3
    # equal for Python, but not the same
    for one, other in ((1, 1.0), (1, True), (0.0, -0.0), ([1], (1,)), ("1", b"1")):
        assert str(plait.compute(note(one), note(other))) == str(((one,), (other,)))
    note, made = counted()
    plait.compute(note(1), note(1))
    assert len(made) == 2


def test_retries() -> None:
    attempts: list[int] = []

    @plait.delayed(retries=2, name="flaky one")
    def flaky() -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError
        return len(attempts)

    assert repr(flaky()) == "<plait.Delayed flaky one>"
    assert flaky().compute() == 3


def test_dataclasses_and_named_tuples_are_arguments() -> None:
    @dataclass(frozen=True)
    class Pair:
        left: Any
        right: Any

    keep = plait.delayed(lambda value: value)
    assert keep(Pair(add(1, 2), [add(3, 4)])).compute() == Pair(3, [7])
    assert plait.compute(Pair(add(1, 2), 5)) == (Pair(3, 5),)


def test_delayed_containers() -> None:
    parts = plait.delayed({"a": add(1, 2), "b": [add(3, 4)]})
    assert parts["b"][0].compute() == 7
    assert parts.items().compute() == {"a": 3, "b": [7]}.items()


def test_methods_are_one_task() -> None:
    text = plait.delayed("a,b")
    assert text.split(",").compute() == ["a", "b"]
    assert len(text.split(",").graph()) == 2


def test_more_operators() -> None:
    x = plait.delayed(7.25)
    assert round(x, 1).compute() == 7.2  # type: ignore[call-overload]
    assert divmod(x, 2).compute() == (3.0, 1.25)
    assert divmod(20, x).compute() == divmod(20, 7.25)
    assert (2**x).compute() == 2**7.25
    with pytest.raises(TypeError, match="cannot be changed"):
        x.y = 1
    with pytest.raises(TypeError, match="cannot be changed"):
        x[0] = 1


def test_wide_fan_in() -> None:
    total = plait.delayed(sum)([add(i, 1) for i in range(20_000)])
    assert total.compute() == sum(range(20_001))


def test_a_frame_that_several_calls_need_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    real = plait.DataFrame.compute
    monkeypatch.setattr(plait.DataFrame, "compute", lambda f: computed.append(1) or real(f))
    frame = plait.from_pandas(pd.DataFrame({"x": [1, 2, 3]}))
    rows = plait.delayed(len)
    assert plait.compute(rows(frame), rows(frame), frame)[:2] == (3, 3)
    assert len(computed) == 1
    rows(frame).graph()
    assert len(computed) == 1


def test_reductions_of_the_same_rows_are_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pd.DataFrame({"x": [1, 2, 3], "y": [1.5, None, 4.0], "s": ["b", "a", None]})
    frame, other = plait.from_pandas(data), plait.from_pandas(data[:2])
    runner = type(plait.session.default_session().runner)
    queries: list[int] = []
    real = runner.execute
    monkeypatch.setattr(runner, "execute", lambda r, p: queries.append(1) or real(r, p))
    wanted = [frame.x.sum(), frame.y.mean(), frame.x.sum() + 1, frame.s.min(), other.x.max()]
    wanted += [frame[frame.x > 5].x.mean(), frame.y.max() - frame.x.min()]
    found = plait.compute(*wanted)
    assert len(queries) == 3
    alone = [value.compute() for value in wanted]
    assert [type(value) for value in found] == [type(value) for value in alone]
    assert str(list(found)) == str(alone)
    assert found[:5] == (6, 2.75, 7, "a", 2)


class Elsewhere(ThreadExecutor):
    """Notes what is gathered and released."""

    def __init__(self) -> None:
        super().__init__(2)
        self.gathered: list[Any] = []
        self.released: list[Any] = []

    def gather(self, handles: Any) -> list[object]:
        self.gathered += handles
        return super().gather(handles)

    def release(self, handles: Any) -> None:
        self.released += handles
        super().release(handles)


def test_persisted_values_stay_where_they_are() -> None:
    with Elsewhere() as executor:
        base = add(1, 2)
        one, (two, text) = plait.persist(base, [add(base, 1), "text"], executor=executor)
        assert text == "text"
        assert executor.gathered == []
        kept = {handle for node in (one, two) for handle in [node._away.handle]}
        assert (one + two).compute(executor=executor) == 7
        assert kept <= set(executor.gathered)  # by the executor itself, for the graph
        assert one.compute() == 3
        assert (two * 2).compute() == 8
        executor.released.clear()
        del one, two
        gc.collect()
        assert set(executor.released) == kept
        quotient, rest = plait.delayed(divmod, nout=2)(7, 2).persist(executor=executor)
        assert plait.compute(quotient, rest, executor=executor) == (3, 1)


def test_visualize(tmp_path: Path) -> None:
    shared = add(1, 1)
    path = str(tmp_path / "graph.svg")
    assert plait.visualize(shared, [shared + 1], path=path) == path
    drawing = Path(path).read_text()
    assert drawing.count("<rect") == 2
    assert shared.visualize(path) == path
    frame = plait.from_pandas(pd.DataFrame({"x": [1]}))
    assert plait.visualize(frame, path=path) == path
    with pytest.raises(PlanError, match=r"\.svg"):
        shared.visualize("graph.png")
    with pytest.raises(PlanError, match="delayed values, or one frame"):
        plait.visualize(shared, frame, path=path)


def test_own_session() -> None:
    with plait.connect("inline") as session:
        assert add(1, 2).compute(session) == 3
        assert plait.compute(add(1, 2), session=session) == (3,)
        with ThreadExecutor(1) as executor:
            assert add(1, 2).compute(executor=executor) == 3
            with pytest.raises(PlanError, match="not both"):
                add(1, 2).compute(session, executor=executor)
