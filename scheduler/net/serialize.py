"""Values as bytes: what of functions, arguments, results and errors crosses processes.

A value is a list of buffers: a pickle (protocol 5) and what it left out of band: columns and
arrays, which are then neither copied nor looked at. Arrow's tables, batches and arrays are written
as IPC: pickled by Arrow itself, ten rows of a table would take the whole table along. A large batch
that has its buffers to itself is not written: they leave as they are.

Plain pickle does the work, several times faster than cloudpickle, which only takes what plain
pickle refuses or would send as a name that means nothing elsewhere: lambdas, local functions and
classes, what is defined in `__main__`, modules that the user registered with cloudpickle.

Only workers and clients read pickles. The scheduler passes the bytes on.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import pickle
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType
from typing import Any

import cloudpickle

from plait.scheduler.errors import RemoteError, SerializationError
from plait.scheduler.net.tracebacks import Row, rows_of, traceback_of

Buffer = bytes | bytearray | memoryview
Packed = list[Buffer]
"""A value as bytes: the pickle, then its buffers."""

_PROTOCOL = 5
_EXACT = 64 << 10  # bytes of Arrow data from which it is measured before it is written
_LARGE = 256 << 10  # bytes of a batch from which a copy of it costs more than its description
_ROOM = 1.1  # what the buffers of a batch may be larger than its rows, to be sent as they are
_IN_BAND = 4096  # buffers below this many bytes are no gain: they stay in the pickle
_PLAIN = frozenset({int, float, bool, str, bytes, type(None)})
_TEXT = 64 << 10  # characters of an error's text that are sent
_ERROR = 8 << 20  # bytes of an error; what is larger is sent as text


class _ByValueError(Exception):
    """A name that another process cannot look up."""


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind is FunctionType or issubclass(kind, type):
            if _only_here(getattr(value, "__module__", None)):
                raise _ByValueError
            return NotImplemented
        return _error(value, kind) if issubclass(kind, BaseException) else _arrow(value, kind)


class _CloudPickler(cloudpickle.Pickler):  # type: ignore[misc]
    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        reduced = _error(value, kind) if issubclass(kind, BaseException) else _arrow(value, kind)
        return super().reducer_override(value) if reduced is NotImplemented else reduced


def dumps(value: object) -> Packed:
    """A value as buffers. SerializationError, with what refused, if it cannot be pickled."""
    if type(value) in _PLAIN:
        return [pickle.dumps(value, _PROTOCOL)]
    # whatever plain pickle says: cloudpickle gets its chance, and has the last word
    with suppress(Exception):
        return _dump(_Pickler, value)
    try:
        return _dump(_CloudPickler, value)
    except Exception as error:
        raise _refused(value, error) from error


def loads(packed: Sequence[Buffer]) -> Any:
    """The value again. SerializationError if this process cannot make it."""
    try:
        return pickle.loads(packed[0], buffers=packed[1:])
    except SerializationError:
        raise  # what was Broken says it better
    except Exception as error:
        raise SerializationError(
            f"A value cannot be read in this process: {type(error).__name__}: {error}. "
            "Every worker needs the modules, in the same versions, that the value is made of"
        ) from error


def dump_plain(values: Iterable[object]) -> bytes:
    """Plain values in one pickle."""
    return pickle.dumps(list(values), _PROTOCOL)


def load_plain(data: Buffer) -> list[object]:
    """Plain values again."""
    values: list[object] = pickle.loads(data)
    return values


def dump_function(function: Callable[..., object]) -> tuple[bytes, bytes]:
    """A function as (its identity, bytes): what is equal in bytes is sent once."""
    data = join(dumps(function))
    return hashlib.sha256(data).digest()[:16], data


def join(packed: Sequence[Buffer]) -> bytes:
    """A value in one piece."""
    if len(packed) == 1:
        return bytes(packed[0])
    lengths = [len(packed), *[memoryview(piece).nbytes for piece in packed]]
    head = b"".join([n.to_bytes(8, "little") for n in lengths])
    return b"".join([b"\x00", head, *packed])  # a pickle starts with 0x80


def split(data: Buffer) -> Packed:
    """The buffers that were joined, without copying."""
    view = memoryview(data)
    if not view.nbytes or view[0] != 0:
        return [data]
    count = int.from_bytes(view[1:9], "little")
    starts = range(9, 9 + 8 * count, 8)
    lengths = [int.from_bytes(view[start : start + 8], "little") for start in starts]
    if len(lengths) != count or sum(lengths) + 9 + 8 * count != view.nbytes:
        raise SerializationError("A value was cut on its way")
    packed: Packed = []
    place = 9 + 8 * count
    for length in lengths:
        packed.append(view[place : place + length])
        place += length
    return packed


def size(packed: Sequence[Buffer]) -> int:
    """Bytes of all buffers."""
    return sum([memoryview(piece).nbytes for piece in packed])


# ------------------------------------------------------------------------------------------ errors


def dump_error(error: BaseException) -> tuple[str, str, bytes]:
    """An error as (name of its type, text, bytes), with tracebacks and causes."""
    name, text = type(error).__name__, _text(error)
    data = pickle.dumps(_described(error, 0), _PROTOCOL)
    if len(data) > _ERROR:
        data = pickle.dumps((None, name, text, rows_of(error.__traceback__), None, None, True))
    return name, text, data


def load_error(name: str, text: str, data: Buffer) -> BaseException:
    """The error again: of its own type where that can be made, else a RemoteError."""
    try:
        return _made(pickle.loads(data))
    except Exception:  # whatever it was, the name and the text are known
        return RemoteError(f"{name}: {text}")


Described = tuple[bytes | None, str, str, tuple[Row, ...], Any, Any, bool]


def _described(error: BaseException, depth: int) -> Described:
    try:
        data: bytes | None = join(dumps(error))
    except SerializationError:
        data = None
    cause, context = error.__cause__, error.__context__
    further = depth < 8
    return (
        data,
        type(error).__name__,
        _text(error),
        rows_of(error.__traceback__),
        _described(cause, depth + 1) if cause is not None and further else None,
        _described(context, depth + 1)
        if context is not None and context is not cause and further
        else None,
        error.__suppress_context__,
    )


def _made(described: Described) -> BaseException:
    data, name, text, rows, cause, context, suppress = described
    error: BaseException | None = None
    if data is not None:
        try:
            made = loads(split(data))
        except SerializationError:
            made = None
        if isinstance(made, BaseException):
            error = made
    if error is None:
        where = "".join([f'\n  File "{file}", line {line}, in {of}' for file, of, line in rows])
        error = RemoteError(f"{name}: {text}{where}")
    if cause is not None:
        error.__cause__ = _made(cause)
    if context is not None:
        error.__context__ = _made(context)
    error.__suppress_context__ = suppress
    return error.with_traceback(traceback_of(rows))


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT]
    except Exception:
        return f"<the text of this {type(error).__name__} cannot be made>"


def _refused(value: object, error: BaseException) -> SerializationError:
    return SerializationError(
        f"A {type(value).__name__} cannot be sent to another process: it cannot be pickled "
        f"({type(error).__name__}: {_text(error)[:500]})"
    )


class Broken:
    """What is sent in place of a value that cannot be: reading it raises why."""

    def __init__(self, why: str) -> None:
        self.why = why

    def __call__(self) -> None:
        """For type checkers, where it stands for a function."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return _broken, (self.why,)


def _broken(why: str) -> object:
    raise SerializationError(why)


# ----------------------------------------------------------------------------------------- pickling


def _dump(pickler: Callable[..., Any], value: object) -> Packed:
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not in one piece
            return True
        if raw.nbytes < _IN_BAND:
            return True
        buffers.append(raw)
        return False

    sink = io.BytesIO()
    pickler(sink, protocol=_PROTOCOL, buffer_callback=keep).dump(value)
    return [sink.getbuffer(), *buffers]


def _only_here(module: str | None) -> bool:
    if module is None or module in ("__main__", "__mp_main__"):
        return True
    registered = cloudpickle.list_registry_pickle_by_value()
    return bool(registered) and any(
        module == name or module.startswith(f"{name}.") for name in registered
    )


def _error(value: BaseException, kind: type) -> Any:
    """How an error is pickled; NotImplemented for as it says itself."""
    # distributed has tblib register a way for every class of errors, which takes the traceback
    # along, as an object within an object for each frame: of a deep one that cannot be pickled.
    known = copyreg.dispatch_table.get(kind)
    if getattr(known, "__module__", "").partition(".")[0] == "tblib":
        return value.__reduce_ex__(_PROTOCOL)
    return NotImplemented


def _arrow(value: Any, kind: type) -> Any:
    """How Arrow's data is pickled; NotImplemented for anything else."""
    if kind is BuiltinFunctionType or not kind.__module__.startswith("pyarrow."):
        return NotImplemented
    pa = sys.modules["pyarrow"]
    if kind is pa.RecordBatch:
        if value.nbytes >= _LARGE and _has_no_more(value.columns, value.nbytes):
            return _restored_batch, (value.schema, [c.__reduce__() for c in value.columns])
        return _read_batch, (_written(pa, value.schema, [value]),)
    if kind is pa.Table:
        return _read_table, (_written(pa, value.schema, value.to_batches()),)
    if isinstance(value, pa.Array):
        batch = pa.RecordBatch.from_arrays([value], names=[""])
        return _read_array, (_written(pa, batch.schema, [batch]),)
    if kind is pa.ChunkedArray:
        table = pa.table([value], names=[""])
        return _read_chunked, (_written(pa, table.schema, table.to_batches()),)
    return NotImplemented


def _has_no_more(columns: Sequence[Any], size: int) -> bool:
    """Whether the buffers of columns hold little else than `size` bytes that belong to them."""
    # column by column: of columns that are slices of one buffer each would take it along
    taken: int = sum([column.get_total_buffer_size() for column in columns])
    return taken <= size * _ROOM


def _restored_batch(schema: Any, columns: Sequence[tuple[Callable[..., Any], Any]]) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([make(*of) for make, of in columns], schema=schema)


def _written(pa: Any, schema: Any, batches: Sequence[Any]) -> pickle.PickleBuffer:
    if sum([batch.nbytes for batch in batches]) < _EXACT:
        sink = pa.BufferOutputStream()
        _write(pa, sink, schema, batches)
        return pickle.PickleBuffer(sink.getvalue())
    # A stream that grows takes up to twice what is written, and results are kept for long.
    measure = pa.MockOutputStream()
    _write(pa, measure, schema, batches)
    buffer = pa.allocate_buffer(measure.size())
    _write(pa, pa.FixedSizeBufferWriter(buffer), schema, batches)
    return pickle.PickleBuffer(buffer)


def _write(pa: Any, sink: Any, schema: Any, batches: Sequence[Any]) -> None:
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _stream(data: Buffer) -> Any:
    import pyarrow as pa  # only where there is Arrow data: a worker starts without it

    return pa.ipc.open_stream(pa.py_buffer(data))


def _read_batch(data: Buffer) -> Any:
    return _stream(data).read_next_batch()


def _read_table(data: Buffer) -> Any:
    return _stream(data).read_all()


def _read_array(data: Buffer) -> Any:
    return _stream(data).read_next_batch().column(0)


def _read_chunked(data: Buffer) -> Any:
    return _stream(data).read_all().column(0)
