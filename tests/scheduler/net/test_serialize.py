"""Values come back equal, weigh what they are, and say clearly when they cannot be sent."""

from __future__ import annotations

import threading
import traceback
import weakref
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plait.scheduler.errors import RemoteError, SerializationError
from plait.scheduler.net import serialize
from plait.scheduler.net.serialize import dump_error, dumps, join, load_error, loads, split

TABLE = pa.table(
    {
        "n": np.arange(100_000),
        "s": pa.array(["a", None, "b", "c"] * 25_000).dictionary_encode(),
        "l": [[1, 2], None, [], [3]] * 25_000,
    }
)

ARROW = [
    TABLE,
    TABLE.slice(10, 5),
    TABLE.to_batches()[0].slice(99_990),
    TABLE.column("s").slice(3, 4),
    TABLE.column("n").chunk(0).slice(7, 2),
    pa.record_batch({"x": [1, 2]}).select([]),
    pa.table({}),
    pa.array([], pa.int8()),
]


@pytest.mark.parametrize("value", ARROW, ids=lambda v: f"{type(v).__name__}-{len(v)}")
def test_arrow(value: pa.Table) -> None:
    packed = dumps(value)
    again = loads(split(join(packed)))
    assert type(again) is type(value)
    assert again.equals(value)
    if len(value) < 100:
        assert serialize.size(packed) < 3000


def test_large_batches_that_have_their_buffers_to_themselves_are_not_copied() -> None:
    batch = TABLE.combine_chunks().to_batches()[0].replace_schema_metadata({"a": "b"})
    packed = dumps(batch)
    data = batch.column("n").buffers()[1]
    assert data.address in [pa.py_buffer(piece).address for piece in packed[1:]]
    again = loads([bytes(piece) for piece in packed])
    again.validate(full=True)
    assert again.equals(batch, check_metadata=True)
    assert again.column("s").type == batch.column("s").type


def test_of_slices_that_share_a_large_buffer_only_their_rows_go() -> None:
    numbers = pa.array(np.arange(400_000))
    quarters = [numbers.slice(start, 100_000) for start in range(0, 400_000, 100_000)]
    batch = pa.record_batch(quarters, names=list("abcd"))
    packed = dumps(batch)
    assert serialize.size(packed) < 1.01 * 3_200_000
    assert loads(packed).equals(batch)


def test_large_columns_go_out_of_band() -> None:
    numbers = np.arange(100_000)
    packed = dumps({"numbers": numbers, "frame": pd.DataFrame({"x": numbers, "y": numbers + 0.5})})
    assert len(packed[0]) < 3000
    assert len(packed) >= 3
    again = loads(packed)
    assert (again["numbers"] == numbers).all()
    pd.testing.assert_frame_equal(again["frame"], pd.DataFrame({"x": numbers, "y": numbers + 0.5}))


@pytest.mark.parametrize("value", [1, 2.5, "x", b"x", None, True, (1, [2]), {"a": {1}}])
def test_plain_values(value: object) -> None:
    assert loads(dumps(value)) == value


def test_functions_that_have_no_name_elsewhere() -> None:
    more = 10
    for function in (lambda x: x + more, threading.Thread.is_alive, len):
        assert callable(loads(dumps(function)))
    assert loads(dumps(lambda x: x + more))(1) == 11
    same: Callable[[int], int] = abs
    assert serialize.dump_function(same)[0] == serialize.dump_function(abs)[0]


class Unsendable:
    def __reduce__(self) -> str:
        raise ValueError("stays here")


class Unreadable:
    def __reduce__(self) -> tuple[object, ...]:
        return int, ("no number",)


@pytest.mark.parametrize("value", [threading.Lock(), [Unsendable()], (i for i in ())])
def test_what_cannot_be_sent(value: object) -> None:
    with pytest.raises(SerializationError, match="cannot be sent to another process: it cannot be"):
        dumps(value)


def test_what_cannot_be_read() -> None:
    with pytest.raises(SerializationError, match="ValueError: invalid literal"):
        loads(dumps(Unreadable()))
    with pytest.raises(SerializationError):
        loads([b"nonsense"])


def fail(depth: int) -> None:
    if depth:
        fail(depth - 1)
    try:
        {}["missing"]
    except KeyError as error:
        raise LookupError("nothing there") from error


def caught(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_errors_come_with_tracebacks_causes_and_notes() -> None:
    error = caught(lambda: fail(2))
    error.add_note("in a task")
    again = load_error(*dump_error(error))
    assert type(again) is LookupError
    assert again.__notes__ == ["in a task"]
    assert isinstance(again.__cause__, KeyError)
    rows = [(row.name, row.lineno) for row in traceback.extract_tb(again.__traceback__)]
    assert rows == [(row.name, row.lineno) for row in traceback.extract_tb(error.__traceback__)]
    shown = "".join(traceback.format_exception(again))
    assert 'raise LookupError("nothing there") from error' in shown
    assert "^^^" not in shown


class OddError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class HoldingError(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("error", "said"),
    [(OddError(1, 2), "OddError: 1 and 2"), (HoldingError(), "HoldingError: holds a lock")],
)
def test_errors_that_cannot_be_made_again(error: Exception, said: str) -> None:
    def throw() -> None:
        raise error

    again = load_error(*dump_error(caught(throw)))
    assert type(again) is RemoteError
    assert str(again).startswith(said)
    assert "in throw" in str(again)


def test_errors_of_nonsense() -> None:
    assert str(load_error("ValueError", "bad", b"nonsense")) == "ValueError: bad"


def test_huge_errors_are_cut() -> None:
    name, text, data = dump_error(ValueError("x" * 20_000_000))
    assert (name, len(text)) == ("ValueError", 64 << 10)
    assert len(data) < 1 << 20
    assert isinstance(load_error(name, text, data), RemoteError)


def test_deep_recursion() -> None:
    def deep(n: int) -> None:
        deep(n + 1)

    again = load_error(*dump_error(caught(lambda: deep(0))))
    assert isinstance(again, RecursionError)
    assert len(traceback.extract_tb(again.__traceback__)) == 100


def test_a_traceback_does_not_keep_who_read_it() -> None:
    class Large:
        pass

    def read() -> tuple[object, weakref.ref[Large]]:
        large = Large()
        try:
            raise KeyError("x")
        except KeyError as error:
            dumped = serialize.dump_error(error)
        return serialize.load_error(*dumped), weakref.ref(large)

    error, held = read()
    assert isinstance(error, KeyError)
    assert held() is None
