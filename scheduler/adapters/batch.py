"""What runs in a foreign cluster: the tasks of one batch, in order, and the report of them.

    run_batch(batch, bundles, place) -> (report, bundle, bundle, ...)

Whatever a task does, this returns: an error is a part of the report, as bytes, so the cluster never
sees the task's own exceptions or values. After the first error nothing more is started. When the
batch takes much longer than it was meant to, the rest is given back: the report names what was
done, and the last bundle then also holds what the rest needs from there.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from plait.scheduler.adapters.parcel import Parcel
from plait.scheduler.context import CancelFlag, Seat, take_seat
from plait.scheduler.errors import RunCancelledError, SerializationError
from plait.scheduler.graph import Handle, Ref, check_parts
from plait.scheduler.net import serialize
from plait.scheduler.scratch import ScratchFolder

Bundle = tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """Something sent once for a whole run: a function, or a large argument."""

    number: int


Name = Ref | Handle | Constant


@dataclass(frozen=True, slots=True)
class Call:
    """How the tasks of a group are run. The function is here if it is small."""

    name: str
    outputs: int
    retries: int
    function: bytes | Constant


@dataclass(frozen=True, slots=True)
class Batch:
    """Tasks to run one after the other."""

    run: str
    executor: str
    tasks: tuple[int, ...]
    groups: tuple[int, ...]
    calls: Mapping[int, Call]
    arguments: Parcel
    """For each task the tuple of its arguments, with names in it."""
    inputs: tuple[tuple[Name | None, ...], ...]
    """What the parcels of each bundle that comes along are called here; None is not needed."""
    bundles: tuple[tuple[Ref, ...], ...]
    """What to give."""
    patience: float
    """Seconds after which no further task is started."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One task that was done: at which attempt, after which failures (seconds, dumped error)."""

    task: int
    seconds: float
    metrics: Mapping[str, object]
    failures: tuple[tuple[float, Dumped], ...] = ()


Dumped = tuple[str, str, bytes]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a batch."""

    worker: str
    done: tuple[Outcome, ...]
    bundles: tuple[tuple[Ref, ...], ...]
    """What is in each bundle."""
    failed: tuple[int, tuple[tuple[float, Dumped], ...]] | None = None
    """The task that failed for good, with all its failures."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch runs: what the context of its tasks is made of."""

    worker: str
    folder: str | None
    memory_limit: int | None


class _Flag(CancelFlag):
    __slots__ = ("__weakref__",)


_lock = threading.Lock()
_scratch: dict[str, ScratchFolder] = {}
_flags: weakref.WeakValueDictionary[str, _Flag] = weakref.WeakValueDictionary()


def run_batch(batch: Batch, bundles: Sequence[Bundle], place: Place) -> tuple[Any, ...]:
    """The report as bytes, then the bundles."""
    with _lock:
        scratch = _scratch.setdefault(batch.executor, ScratchFolder(place.folder))
        flag = _flags.setdefault(batch.run, _Flag())
    seat = Seat(place.worker, scratch, place.memory_limit)
    outer = take_seat(seat)
    try:
        report, given = _Work(batch, bundles, seat, flag).run()
    finally:
        take_seat(outer)
    return (_packed(report), *given)


def cancel_run(run: str) -> None:
    """Tell the tasks of a run that go on in this process to stop."""
    flag = _flags.get(run)
    if flag is not None:
        flag.is_set = True


def forget(executor: str) -> None:
    """An executor was closed: remove its files in this process."""
    with _lock:
        scratch = _scratch.pop(executor, None)
    if scratch is not None:
        scratch.remove()


def _packed(report: Report) -> bytes:
    try:
        return serialize.join(serialize.dumps(report))
    except SerializationError:  # a task reported what cannot be sent
        done = [Outcome(o.task, o.seconds, _numbers(o.metrics), o.failures) for o in report.done]
        plain = Report(report.worker, tuple(done), report.bundles, report.failed)
        return serialize.join(serialize.dumps(plain))


def _numbers(metrics: Mapping[str, object]) -> dict[str, object]:
    return {k: v if isinstance(v, int | float | str) else repr(v) for k, v in metrics.items()}


@functools.lru_cache(256)
def _function(data: bytes) -> Callable[..., Any]:
    """Kept, as functions may keep what they prepared for further tasks."""
    return serialize.loads(serialize.split(data))  # type: ignore[no-any-return]


@dataclass
class _Work:
    batch: Batch
    given: Sequence[Bundle]
    seat: Seat
    flag: CancelFlag
    parcels: dict[Name, Parcel] = field(default_factory=dict)
    values: dict[Name, object] = field(default_factory=dict)
    uses: dict[Name, int] = field(default_factory=dict)
    done: list[Outcome] = field(default_factory=list)

    def run(self) -> tuple[Report, list[Bundle]]:
        batch = self.batch
        for names, bundle in zip(batch.inputs, self.given, strict=True):
            self.parcels |= {n: p for n, p in zip(names, bundle, strict=True) if n is not None}
        exported = {ref for bundle in batch.bundles for ref in bundle}
        until = perf_counter() + batch.patience
        arguments: Sequence[tuple[object, ...]] | None = None
        for place, task in enumerate(batch.tasks):
            if self.flag.is_set or (place and perf_counter() > until):
                break
            call, failures = batch.calls[batch.groups[place]], []
            for attempt in range(call.retries + 1):
                started = perf_counter()
                try:
                    if arguments is None:
                        arguments = self._arguments()
                    result = self._call(call, arguments[place])
                    self._store(task, call.outputs, result, exported)
                    del result
                except BaseException as error:
                    # Without our own frames: they read as noise.
                    trimmed = error.with_traceback(_outside(error))
                    self.seat.context = None
                    failures.append((perf_counter() - started, serialize.dump_error(trimmed)))
                    final = attempt == call.retries or not isinstance(error, Exception)
                    if final or isinstance(error, RunCancelledError):
                        return self._failed(task, tuple(failures))
                    continue
                seconds = perf_counter() - started
                context, self.seat.context = self.seat.context, None
                metrics = {} if context is None else context.metrics()
                self.done.append(Outcome(task, seconds, metrics, tuple(failures)))
                break
            assert arguments is not None
            for name in names_in(arguments[place]):
                self._used(name)
        rest = batch.tasks[len(self.done) :]
        if not rest or self.flag.is_set:
            return self._report(batch.bundles)
        # What the rest needs and was to be used up in here.
        needed = {n for n in self.uses if isinstance(n, Ref)} & self.values.keys() - exported
        done = {outcome.task for outcome in self.done}
        bundles = [tuple([r for r in bundle if r.task in done]) for bundle in batch.bundles]
        bundles[-1] += tuple(sorted(needed, key=lambda ref: (ref.task, ref.part)))
        try:
            for ref in bundles[-1]:
                if ref in needed:
                    self.parcels[ref] = Parcel.of(self.values[ref])
        except SerializationError as error:
            return self._failed(ref.task, ((0.0, serialize.dump_error(error)),))
        return self._report(tuple(bundles))

    def _arguments(self) -> Sequence[tuple[object, ...]]:
        found: Any = self.batch.arguments.value
        for arguments in found:
            for name in names_in(arguments):
                self.uses[name] = self.uses.get(name, 0) + 1
        return found  # type: ignore[no-any-return]

    def _call(self, call: Call, arguments: tuple[object, ...]) -> object:
        if isinstance(call.function, Constant):
            function: Any = self._value(call.function)
        else:
            function = _function(call.function)
        values = [self._resolved(argument) for argument in arguments]
        self.seat.run_flag = self.flag
        try:
            result = function(*values)
        finally:
            self.seat.run_flag = None
        if call.outputs > 1:
            check_parts(result, call.outputs, call.name)
        return result

    def _store(self, task: int, outputs: int, result: Any, exported: set[Ref]) -> None:
        for part, value in enumerate(result if outputs > 1 else (result,)):
            ref = Ref(task, part)
            if ref in exported:
                self.parcels[ref] = Parcel.of(value)
            if ref in self.uses:
                self.values[ref] = value

    def _resolved(self, argument: object) -> object:
        if type(argument) is Ref or type(argument) is Handle or type(argument) is Constant:
            return self._value(argument)
        if type(argument) is list:
            return [self._resolved(item) for item in argument]
        if type(argument) is tuple:
            return tuple([self._resolved(item) for item in argument])
        return argument

    def _value(self, name: Name) -> object:
        if name in self.values:
            return self.values[name]
        return self.parcels[name].value

    def _used(self, name: Name) -> None:
        left = self.uses[name] = self.uses[name] - 1
        if not left:
            del self.uses[name]
            self.values.pop(name, None)

    def _failed(
        self, task: int, failures: tuple[tuple[float, Dumped], ...]
    ) -> tuple[Report, list[Bundle]]:
        nothing: tuple[tuple[Ref, ...], ...] = tuple([() for _ in self.batch.bundles])
        done = tuple(self.done)
        return Report(self.seat.worker, done, nothing, (task, failures)), [() for _ in nothing]

    def _report(self, bundles: tuple[tuple[Ref, ...], ...]) -> tuple[Report, list[Bundle]]:
        if self.flag.is_set:  # nobody waits for them
            bundles = tuple([() for _ in bundles])
        given = [tuple([self.parcels[ref] for ref in bundle]) for bundle in bundles]
        return Report(self.seat.worker, tuple(self.done), bundles), given


def names_in(argument: object) -> Iterator[Name]:
    """The names in an argument, wherever in it, one by one."""
    if type(argument) is Ref or type(argument) is Handle or type(argument) is Constant:
        yield argument
    elif type(argument) is list or type(argument) is tuple:
        for item in argument:
            yield from names_in(item)


def _outside(error: BaseException) -> Any:
    """The traceback without the frames of this module at its beginning."""
    found = error.__traceback__
    while found is not None and found.tb_frame.f_code.co_filename == __file__:
        found = found.tb_next
    return found
