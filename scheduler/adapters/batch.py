"""What runs in a foreign cluster: the tasks of one batch, in order, and the report of them.

    run_batch(batch, bundles, place) -> (report, bundle, bundle, ...)

Whatever a task does, this returns: an error is a part of the report, as bytes, so the cluster never
sees the task's own exceptions or values. After the first error nothing more is started, unless the
tasks are independent jobs: then only what needs the failed one is left out. When the
batch takes much longer than it was meant to, the rest is given back: the report names what was
done, and the last bundle then also holds what the rest needs from there.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
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
    jobs: frozenset[int] | None = None
    """The tasks are independent, and of these the values are reported, if they are small."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One task that was done: at which attempt, after which failures (seconds, dumped error)."""

    task: int
    seconds: float
    metrics: Mapping[str, object]
    failures: Failures = ()
    value: Parcel | None = None
    """Of a job, if it is small."""


Dumped = tuple[str, str, bytes]
Failures = tuple[tuple[float, Dumped], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a batch."""

    worker: str
    done: tuple[Outcome, ...]
    bundles: tuple[tuple[Ref, ...], ...]
    """What is in each bundle."""
    failed: tuple[tuple[int, Failures], ...] = ()
    """The tasks that failed for good, with all their failures."""
    rest: tuple[int, ...] = ()
    """The tasks that were not started."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch runs: what the context of its tasks is made of."""

    worker: str
    folder: str | None
    memory_limit: int | None


class _Flag(CancelFlag):
    __slots__ = ("__weakref__",)


_SMALL = 64 << 10  # bytes of a job's value that come with the report
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
        done = tuple([replace(o, metrics=_numbers(o.metrics)) for o in report.done])
        return serialize.join(serialize.dumps(replace(report, done=done)))


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
    failed: list[tuple[int, Failures]] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    arguments: Sequence[tuple[object, ...]] | None = None

    def run(self) -> tuple[Report, list[Bundle]]:
        batch = self.batch
        for names, bundle in zip(batch.inputs, self.given, strict=True):
            self.parcels |= {n: p for n, p in zip(names, bundle, strict=True) if n is not None}
        exported = {ref for bundle in batch.bundles for ref in bundle}
        until = perf_counter() + batch.patience
        rest: tuple[int, ...] = ()
        for place, task in enumerate(batch.tasks):
            if self.flag.is_set or (place and perf_counter() > until):
                rest = batch.tasks[place:]
                break
            if not (self.broken and self._needs_broken(place)):
                self._attempt(place, exported)
            else:
                self.broken.add(task)
            if self.failed and batch.jobs is None:
                break
            if self.arguments is not None:
                for name in names_in(self.arguments[place]):
                    self._used(name)
        return self._report(rest, exported)

    def _needs_broken(self, place: int) -> bool:
        assert self.arguments is not None
        names = names_in(self.arguments[place])
        return any(type(name) is Ref and name.task in self.broken for name in names)

    def _attempt(self, place: int, exported: set[Ref]) -> None:
        """Run a task until it is done or has failed for good."""
        task = self.batch.tasks[place]
        call = self.batch.calls[self.batch.groups[place]]
        failures: list[tuple[float, Dumped]] = []
        for attempt in range(call.retries + 1):
            started = perf_counter()
            try:
                if self.arguments is None:
                    self.arguments = self._arguments()
                result = self._call(call, self.arguments[place])
                self._store(task, call.outputs, result, exported)
                del result
            except BaseException as error:
                # Without our own frames: they read as noise.
                trimmed = error.with_traceback(_outside(error))
                self.seat.context = None
                failures.append((perf_counter() - started, serialize.dump_error(trimmed)))
                final = attempt == call.retries or not isinstance(error, Exception)
                if final or isinstance(error, RunCancelledError):
                    self.failed.append((task, tuple(failures)))
                    self.broken.add(task)
                    return
                continue
            seconds = perf_counter() - started
            context, self.seat.context = self.seat.context, None
            metrics = {} if context is None else context.metrics()
            self.done.append(Outcome(task, seconds, metrics, tuple(failures), self._small(task)))
            return

    def _small(self, task: int) -> Parcel | None:
        if self.batch.jobs is None or task not in self.batch.jobs:
            return None
        parcel = self.parcels[Ref(task)]
        return parcel if parcel.nbytes <= _SMALL else None

    def _report(self, rest: tuple[int, ...], exported: set[Ref]) -> tuple[Report, list[Bundle]]:
        bundles: list[tuple[Ref, ...]] = [()] * len(self.batch.bundles)
        wanted = not self.flag.is_set and (not self.failed or self.batch.jobs is not None)
        if wanted:
            # Without what failed or was not started.
            bundles = [
                tuple([ref for ref in bundle if ref in self.parcels])
                for bundle in self.batch.bundles
            ]
        if wanted and rest:
            # What the rest needs and was to be used up in here.
            here = {name for name in self.uses if isinstance(name, Ref) and name in self.values}
            for ref in sorted(here - exported, key=attrgetter("task", "part")):
                try:
                    self.parcels[ref] = Parcel.of(self.values[ref])
                    bundles[-1] += (ref,)
                except SerializationError as error:
                    self.done = [outcome for outcome in self.done if outcome.task != ref.task]
                    self.failed.append((ref.task, ((0.0, serialize.dump_error(error)),)))
        given = [tuple([self.parcels[ref] for ref in bundle]) for bundle in bundles]
        report = Report(
            self.seat.worker, tuple(self.done), tuple(bundles), tuple(self.failed), rest
        )
        return report, given

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
