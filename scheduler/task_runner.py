"""Running one task in a worker: function and arguments from bytes, result into the store.

Everything that can go wrong with the user's things happens here, on the thread that runs the task,
and becomes the task's error: functions and arguments that cannot be read in this process, inputs
that cannot, results that are not what was promised. An input that is lost is not the task's fault;
the task is told as missing it and is run again where the input is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, perf_counter

from plait.scheduler.calls import decode_call
from plait.scheduler.context import CancelFlag, Seat
from plait.scheduler.errors import DiskFullError, SerializationError
from plait.scheduler.net import serialize
from plait.scheduler.net.serialize import Buffer, dump_error
from plait.scheduler.reports import dump_report
from plait.scheduler.state import messages as m
from plait.scheduler.state import worker_messages as w
from plait.scheduler.store import GoneError, Store

Outcome = w.Ran | w.Raised | w.KeysLost
"""What became of a task, for the worker's state."""


class TaskRunner:
    """Knows the functions, runs tasks; any number of threads at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.watched = False  # whether tasks that reported nothing are to be shown as well
        self._bytes: dict[bytes, Buffer] = {}
        self._functions: dict[bytes, Callable[..., object]] = {}
        self._running: dict[int, tuple[int, CancelFlag]] = {}  # task -> attempt and its flag

    def learn(self, ids: Sequence[bytes], functions: Sequence[Buffer]) -> None:
        """Functions, to be read when they are first called."""
        self._bytes.update(zip(ids, functions, strict=True))

    def cancel(self, tasks: Sequence[int], attempts: Sequence[int]) -> None:
        """Tell running tasks, up to these attempts, to stop."""
        for task, attempt in zip(tasks, attempts, strict=True):
            running = self._running.get(task)
            if running is not None and running[0] <= attempt:
                running[1].is_set = True

    def cancel_all(self) -> None:
        """Tell all running tasks to stop."""
        for _, flag in list(self._running.values()):
            flag.is_set = True

    def execute(self, start: w.Start, seat: Seat, thread: int = 0) -> Outcome:
        """Run a task and store its results."""
        task, attempt, identity, call, keys, outputs = start
        seat.run_flag = flag = CancelFlag()
        self._running[task] = attempt, flag
        error: BaseException | None = None
        result: object = None
        began = perf_counter()
        try:
            inputs: Sequence[object] = ()
            if keys:
                inputs, lost = self._inputs(keys)
                if lost:
                    return w.KeysLost(lost, task, attempt)
            function = self._functions.get(identity) or self._function(identity)
            arguments = decode_call(call, inputs)
            del inputs
            result = function(*arguments)
            del arguments
        except BaseException as caught:
            error = caught
            if caught.__traceback__ is not None:
                # without our own frame, which reads as noise
                caught.__traceback__ = caught.__traceback__.tb_next
        finally:
            seconds = perf_counter() - began
            seat.run_flag = None
            context, seat.context = seat.context, None
            self._running.pop(task, None)
        if error is not None:
            retryable = isinstance(error, Exception) and not isinstance(error, SerializationError)
            return _raised(start, error, seconds, retryable)
        try:
            if outputs == 1:
                sizes: tuple[int, ...] = (self._store.put(task << m.PART_SHIFT, result),)
            else:
                sizes = self._put_parts(task, result)  # type: ignore[arg-type]
        except DiskFullError as full:
            return _raised(start, full, seconds, retryable=False)
        report = b""
        if self.watched or (context is not None and context.reported):
            report = dump_report(context, monotonic(), thread)
        return w.Ran(task, attempt, sizes, seconds, report)

    def _inputs(self, keys: Sequence[int]) -> tuple[list[object], tuple[int, ...]]:
        inputs: list[object] = []
        lost: list[int] = []
        for key in keys:
            try:
                inputs.append(self._store.get(key))
            except GoneError:
                lost.append(key)
        return inputs, tuple(lost)

    def _function(self, identity: bytes) -> Callable[..., object]:
        try:
            data = self._bytes[identity]
        except KeyError:
            raise SerializationError("The function of this task did not arrive") from None
        function = serialize.loads(serialize.split(data))
        self._functions[identity] = function
        return function  # type: ignore[no-any-return]

    def _put_parts(self, task: int, parts: Sequence[object]) -> tuple[int, ...]:
        first = m.key_of(task)
        return self._store.put_parts(range(first, first + len(parts)), parts)


def _raised(start: w.Start, error: BaseException, seconds: float, retryable: bool) -> w.Raised:
    name, text, data = dump_error(error)
    return w.Raised(start.task, start.attempt, name, text, data, seconds, retryable)
