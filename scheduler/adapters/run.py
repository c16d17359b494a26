"""One run on somebody else's cluster.

The graph stays here. `Batching` says what may go next, `_send` sends it, `take_in` is called with
each report, on the executor's thread. Where a part is, is a `Held` and an index; the cluster's own
reference in it keeps the data alive there, so dropping the last mention of a bundle frees it.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any, Protocol

from plait.scheduler.adapters.backend import Backend, Held, Sent, Wishes
from plait.scheduler.adapters.batch import (
    Batch,
    Call,
    Constant,
    Failures,
    Name,
    Outcome,
    Report,
    names_in,
)
from plait.scheduler.adapters.batching import Batching, Draft
from plait.scheduler.adapters.parcel import Parcel
from plait.scheduler.context import current_flag
from plait.scheduler.errors import RunCancelledError, SerializationError
from plait.scheduler.events import (
    Observer,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
)
from plait.scheduler.executor import Jobs, TaskMetrics
from plait.scheduler.graph import Handle, Ref, TaskGraph
from plait.scheduler.net import serialize
from plait.scheduler.observing import Announcer, annotate, group_summaries

_log = logging.getLogger(__name__)

_AHEAD = 2  # batches for each slot that are under way: none idles while a report travels
_PATIENCE = 4  # times as long as it was meant to: then a batch gives the rest back
_INLINE = 64 << 10  # bytes up to which a function travels with every batch
_LARGE = 1 << 20  # bytes from which an argument is sent once for all tasks that have it
_LET_SIGNALS_IN = 0.2

Where = tuple[Held, int]


class Owner(Protocol):
    """What a run needs of its executor."""

    name: str
    workers: int
    backend: Backend

    def gather(self, handles: Sequence[Handle]) -> list[object]: ...
    def release(self, handles: Sequence[Handle]) -> None: ...
    def keep(self, kept: Mapping[Handle, Where]) -> None: ...
    def watch(self, run: ForeignRun, number: int, report: Any) -> None: ...
    def ended(
        self, run: ForeignRun, kept: Mapping[Handle, Where], reports: Sequence[Any]
    ) -> None: ...


class ForeignRun:
    """A `Run` on somebody else's cluster."""

    def __init__(
        self,
        name: str,
        owner: Owner,
        graph: TaskGraph,
        want: Sequence[Ref],
        earlier: Mapping[Handle, Where],
        observe: Observer | None,
        priority: int = 0,
        jobs: Jobs | None = None,
    ) -> None:
        self.name = name
        self.handles = tuple([Handle(name, ref.task, ref.part) for ref in want])
        self.done = threading.Event()
        self.ended = False
        self.error: BaseException | None = None
        self._owner, self._graph = owner, graph
        self._batching = Batching(graph, want)
        self._slots = owner.workers
        self._earlier = earlier
        self._priority, self._jobs = priority, jobs
        # Wanted tasks that `jobs` has not been told of.
        self._untold = {ref.task for ref in want} if jobs is not None else set()
        self._where: dict[int, Where] = {}
        self._flights: dict[int, tuple[Draft, Sent]] = {}
        self._numbers = itertools.count()
        self._calls: dict[int, Call] = {}
        self._constants: dict[Constant, Where] = {}
        self._large: dict[int, Constant] = {}
        self._metrics: dict[int, TaskMetrics] = {}
        self._traceback: TracebackType | None = None
        self._started = perf_counter()
        self._announcer = Announcer(name, observe)
        # Reentrant: an observer may cancel its run.
        self._lock = threading.RLock()

    def wait(self, timeout: float | None = None) -> None:
        """See `Run`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        outer = current_flag()
        try:
            while not self.done.is_set():
                until = time.monotonic() + _LET_SIGNALS_IN
                if deadline is not None:
                    until = min(until, deadline)
                if outer is None:
                    self.done.wait(max(0.0, until - time.monotonic()))
                else:
                    until = 1e18 if deadline is None else deadline
                    self._owner.backend.wait_inside(self.done, self._pending, until)
                if outer is not None and outer.is_set:
                    self.cancel()
                if deadline is not None and time.monotonic() >= deadline:
                    break
        except KeyboardInterrupt:
            self.cancel()
            raise
        if not self.done.is_set():
            raise TimeoutError(f"Run {self.name} is not done after {timeout} seconds")
        if self.error is not None:
            # Its own traceback every time, or each waiter would add frames to it.
            raise self.error.with_traceback(self._traceback)

    def help_with(self, task: int, timeout: float | None = None) -> None:
        """See `Run`: nothing can be done from here."""

    def result(self) -> list[object]:
        """See `Run`."""
        self.wait()
        values = self._owner.gather(self.handles)
        self._owner.release(self.handles)
        return values

    def cancel(self) -> None:
        """See `Run`."""
        self.end(RunCancelledError(f"Run {self.name} was cancelled"))

    def metrics(self) -> list[TaskMetrics]:
        """See `Run`."""
        return [self._metrics[task] for task in sorted(self._metrics)]

    def start(self) -> None:
        """Check what the tasks need, tell the observer, send the first batches."""
        groups = {self._graph.task_groups[task] for task in self._batching.sequence}
        for resources in {self._graph.groups[group].resources for group in groups}:
            self._owner.backend.check(resources)
        if self._announcer.observe is not None:
            summaries = group_summaries(self._graph, self._batching.sequence)
            self._announcer.emit(RunStarted(self.name, summaries))
        self.proceed()

    def proceed(self) -> None:
        """Send what can be sent; end the run if all is done."""
        while (draft := self._draft()) is not None:
            failure: Exception | None = None
            with self._lock:
                if not self.ended:
                    try:
                        self._send(draft)
                    except Exception as error:
                        failure = error
            if failure is not None and not self._without(draft, failure):
                return
        with self._lock:
            over = not self._batching.remaining
        if over:
            self.end(None)

    def take_in(self, number: int) -> None:
        """A report is there."""
        with self._lock:
            if self.ended:
                return
            draft, sent = self._flights[number]
        try:
            data = self._owner.backend.report(sent.report)
            report: Report = serialize.loads(serialize.split(data))
        except BaseException as error:
            group = self._graph.group_of(draft.tasks[0])
            others = len(draft.tasks) - 1
            with_others = f"(sent together with {others} others)" if others else ""
            annotate(error, draft.tasks[0], group.name, with_others)
            with self._lock:
                self._flights.pop(number, None)
            if self._without(draft, error):
                self.proceed()
            return
        with self._lock:
            if self.ended:
                return
            del self._flights[number]
            handed = self._settle(sent, report)
        self._tell(report)
        for outcome, where in handed:
            self._hand_over(outcome, where)
        for task, failures in report.failed:
            group = self._graph.group_of(task)
            raised = serialize.load_error(*failures[-1][1])
            annotate(raised, task, group.name, group.note)
            self._tell_failures(report.worker, task, failures, raised)
            if self._jobs is None:
                self.end(raised)
                return
            self._fail(task, raised)
        with self._lock:
            self._batching.give_back(report.rest)
        self.proceed()

    def end(self, error: BaseException | None) -> None:
        """End the run, once: keep what is wanted, or drop everything and tell the cluster."""
        with self._lock:
            if self.ended:
                return
            self.ended = True
            self.error = error
            self._traceback = error.__traceback__ if error is not None else None
            kept: dict[Handle, Where] = {}
            if error is None and self._jobs is None:
                for handle in self.handles:
                    slot = self._graph.slot(Ref(handle.task, handle.part))
                    kept[handle] = self._where[slot]
            reports = [sent.report for _, sent in self._flights.values()]
            self._flights.clear()
            self._where.clear()
            self._constants.clear()
            self._earlier = {}
        self._owner.ended(self, kept, reports)
        if error is not None:
            for task in list(self._untold):
                self._tell_job(task, None, error)
        seconds = perf_counter() - self._started
        if isinstance(error, RunCancelledError):
            self._announcer.emit(RunCancelled(self.name, seconds), last=True)
        else:
            self._announcer.emit(RunFinished(self.name, seconds, error), last=True)
        self.done.set()

    def _pending(self) -> list[Any]:
        with self._lock:
            return [sent.report for _, sent in self._flights.values()]

    def _settle(self, sent: Sent, report: Report) -> list[tuple[Outcome, Where | None]]:
        """Note what was done; the jobs among it, and where their values are kept."""
        handed: list[tuple[Outcome, Where | None]] = []
        for reference, parts in zip(sent.bundles, report.bundles, strict=True):
            held = Held(reference, len(parts))
            for index, ref in enumerate(parts):
                self._where[self._graph.slot(ref)] = held, index
        for outcome in report.done:
            task, group = outcome.task, self._graph.task_groups[outcome.task]
            dropped = self._batching.finish(task, outcome.seconds)
            if task in self._untold:
                handed.append((outcome, self._where.get(self._graph.first_slot[task])))
                dropped += self._batching.handed_over(task)
            self._drop(dropped)
            known = dict(outcome.metrics)
            rows, size = known.pop("rows", None), known.pop("bytes", None)
            self._metrics[task] = TaskMetrics(
                task,
                group,
                outcome.seconds,
                rows,  # type: ignore[arg-type]
                size,  # type: ignore[arg-type]
                known,
            )
        return handed

    def _drop(self, slots: Sequence[int]) -> None:
        for slot in slots:
            self._where.pop(slot, None)

    def _tell(self, report: Report) -> None:
        if self._announcer.observe is None:
            return
        emit = self._announcer.emit
        for outcome in report.done:
            task, group = outcome.task, self._graph.task_groups[outcome.task]
            self._tell_failures(report.worker, task, outcome.failures, None)
            emit(TaskStarted(self.name, task, group, report.worker))
            emit(
                TaskFinished(
                    self.name, task, group, report.worker, outcome.seconds, outcome.metrics
                )
            )

    def _tell_failures(
        self,
        worker: str,
        task: int,
        failures: Failures,
        final: BaseException | None,
    ) -> None:
        """Of each attempt that failed; `final` is the error of the last, if the task gave up."""
        if self._announcer.observe is None:
            return
        group = self._graph.task_groups[task]
        for attempt, (seconds, dumped) in enumerate(failures, 1):
            last = final is not None and attempt == len(failures)
            error = final if last and final is not None else serialize.load_error(*dumped)
            self._announcer.emit(TaskStarted(self.name, task, group, worker))
            failed = TaskFailed(self.name, task, group, worker, seconds, error, not last)
            self._announcer.emit(failed)

    # --------------------------------------------------------------------------------- single jobs

    def _hand_over(self, outcome: Outcome, where: Where | None) -> None:
        """Tell of a job that is done: with its value if that came along, else where it is kept."""
        if outcome.value is not None:
            try:
                self._tell_job(outcome.task, outcome.value.value, None)
            except SerializationError as error:
                group = self._graph.group_of(outcome.task)
                annotate(error, outcome.task, group.name, group.note)
                self._tell_job(outcome.task, None, error)
            return
        assert where is not None
        handle = Handle(self.name, outcome.task)
        self._owner.keep({handle: where})
        self._tell_job(outcome.task, handle, None, kept=True)

    def _tell_job(
        self, task: int, value: object, error: BaseException | None, kept: bool = False
    ) -> None:
        # Whoever removes it tells: one atomic step, so that nobody is told twice.
        try:
            self._untold.remove(task)
        except KeyError:
            return
        assert self._jobs is not None
        try:
            if error is not None:
                self._jobs.failed(task, error)
            elif kept:
                assert isinstance(value, Handle)
                self._jobs.kept(task, value)
            else:
                self._jobs.returned(task, value)
        except Exception:
            # It must not end the thread that takes in reports.
            _log.exception("Telling the result of task %d of run %s failed", task, self.name)

    def _fail(self, task: int, error: BaseException) -> None:
        """A job is over, and so is what needs it."""
        with self._lock:
            failed, dropped = self._batching.fail(task)
            self._drop(dropped)
        for item in failed:
            self._tell_job(item, None, error)

    def _without(self, draft: Draft, error: BaseException) -> bool:
        """A batch was lost. Whether the run goes on: its jobs then go one by one."""
        if self._jobs is None or self.ended:
            self.end(error)
            return False
        if len(draft.tasks) == 1:
            self._fail(draft.tasks[0], error)
            return True
        with self._lock:
            self._batching.alone.update(draft.tasks)
            self._batching.give_back(draft.tasks)
        return True

    # ------------------------------------------------------------------------------------- sending

    def _draft(self) -> Draft | None:
        """The next batch, of tasks that are still wanted; None if none can go now."""
        while True:
            with self._lock:
                if self.ended or len(self._flights) >= _AHEAD * self._slots:
                    return None
                draft = self._batching.take(self._slots)
            if draft is None or self._jobs is None:
                return draft
            jobs = [task for task in draft.tasks if task in self._untold]
            unwanted = [task for task in jobs if not self._jobs.start(task)]
            if not unwanted:
                return draft
            for task in unwanted:
                self._fail(task, RunCancelledError(f"Task {task} was not wanted any more"))
            with self._lock:
                self._batching.give_back(draft.tasks)

    def _send(self, draft: Draft) -> None:
        graph, inside = self._graph, set(draft.tasks)
        groups = tuple([graph.task_groups[task] for task in draft.tasks])
        names: dict[Name, Where] = {}
        calls = {group: self._call(group) for group in dict.fromkeys(groups)}
        for call in calls.values():
            if isinstance(call.function, Constant):
                names[call.function] = self._constants[call.function]
        arguments = []
        for task in draft.tasks:
            arguments.append(tuple([self._shared(argument) for argument in graph.args[task]]))
            for name in names_in(arguments[-1]):
                if not (type(name) is Ref and name.task in inside):
                    names[name] = self._place(name)
        inputs: dict[Held, list[Name | None]] = {}
        for name, (held, index) in names.items():
            inputs.setdefault(held, [None] * held.size)[index] = name
        batch = Batch(
            self.name,
            self._owner.name,
            draft.tasks,
            groups,
            calls,
            self._packed(draft, arguments),
            tuple([tuple(of) for of in inputs.values()]),
            draft.bundles,
            _PATIENCE * draft.seconds,
            None if self._jobs is None else frozenset(self._untold.intersection(draft.tasks)),
        )
        references = [held.reference for held in inputs]
        wishes = Wishes(graph.groups[groups[0]].name, draft.resources, self._priority)
        sent = self._owner.backend.start(batch, references, wishes)
        number = next(self._numbers)
        self._flights[number] = draft, sent
        self._owner.watch(self, number, sent.report)

    def _packed(self, draft: Draft, arguments: list[tuple[object, ...]]) -> Parcel:
        try:
            return Parcel.of(arguments)
        except Exception:
            for task, of in zip(draft.tasks, arguments, strict=True):
                try:
                    Parcel.of(of)
                except Exception as error:
                    group = self._graph.group_of(task)
                    annotate(error, task, group.name, group.note)
                    raise
            raise

    def _call(self, number: int) -> Call:
        if number not in self._calls:
            group = self._graph.groups[number]
            try:
                data = serialize.join(serialize.dumps(group.function))
            except Exception as error:
                task = self._graph.task_groups.index(number)
                annotate(error, task, group.name, group.note)
                raise
            function: bytes | Constant = data
            if len(data) > _INLINE:
                function = self._put(Parcel(serialize.split(data)))
            self._calls[number] = Call(group.name, group.outputs, group.retries, function)
        return self._calls[number]

    def _shared(self, argument: object) -> object:
        """A large array or table, sent once for all tasks; any other argument as it is."""
        size = getattr(argument, "nbytes", 0)
        if not isinstance(size, int) or size < _LARGE:
            return argument
        known = self._large.get(id(argument))  # the graph keeps it, so the id stays its own
        if known is None:
            known = self._large[id(argument)] = self._put(Parcel.of(argument))
        return known

    def _put(self, parcel: Parcel) -> Constant:
        constant = Constant(len(self._constants))
        self._constants[constant] = Held(self._owner.backend.put(parcel), 1), 0
        return constant

    def _place(self, name: Name) -> Where:
        if type(name) is Ref:
            return self._where[self._graph.slot(name)]
        if type(name) is Handle:
            return self._earlier[name]
        assert type(name) is Constant
        return self._constants[name]
