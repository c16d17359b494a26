"""The contract between task graphs and whatever runs them.

An `Executor` takes a graph and the parts that are wanted of it, and gives a `Run` to follow. It
runs only the tasks that the wanted parts need. Results stay where they were made; a `Handle` names
one, may be gathered, may be an argument of a later graph, and is kept until it is released.

    with executor:
        run = executor.submit(graph, [Ref(7)])
        run.wait()                              # raises what a task raised
        values = executor.gather(run.handles)
        executor.release(run.handles)           # run.result() is these three

What every implementation promises (one suite of tests runs over all of them):

* A task's error is raised by `wait` as it was: same type, the task's traceback, plus a note that
  names the task, its group and the group's note. The first error wins; what has not started then
  never starts; nothing of a failed or cancelled run is kept.
* An intermediate result is dropped when its last consumer is done.
* Ctrl-C in a waiting main thread cancels the run; the executor stays usable.
* Waiting inside a task for a run on the same executor does not deadlock.
* A handle may be gathered or used in a graph while its run is still going: that waits for the run.

A run with `Jobs` is a batch of independent calls, the form in which futures are run. Its wanted
tasks are told of one by one as they end, and an error ends only the task that raised it and those
that need it:

* Each wanted task is told of exactly once: `returned`, `kept` or `failed`; also when the run is
  cancelled or the executor closed. `wait` raises no error of a task, and may return a moment
  before the last one is told.
* What `returned` hands over is not kept. What is `kept` may be gathered and used at once, and is
  the caller's to release; executors of this process never say so, others do of what is large.
* A task whose `start` gives False, or whose handle was released before it started, may be left out;
  it has then failed with RunCancelledError.
* Bounds on the results of sources do not hold: whoever takes results one by one takes all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from plait.scheduler.errors import GraphError
from plait.scheduler.events import Observer
from plait.scheduler.graph import Handle, Ref, TaskGraph


@dataclass(frozen=True, slots=True)
class TaskMetrics:
    """What is known of one finished task. `rows` and `bytes` are None unless it reported them."""

    task: int
    group: int
    seconds: float
    rows: int | None = None
    bytes: int | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


class Jobs(Protocol):
    """Follows the wanted tasks of a run one by one.

    Called on whichever thread it happens, so it has to be quick and must not wait for anything.
    """

    def start(self, task: int) -> bool:
        """A task is about to start, or has started elsewhere; False if it is not wanted any more.

        Executors far away may tell late, together with the end; again for every attempt.
        """
        ...

    def returned(self, task: int, value: object) -> None:
        """A task is done; here is its value, which the executor does not keep."""
        ...

    def kept(self, task: int, handle: Handle) -> None:
        """A task is done; its value stayed where it was made."""
        ...

    def failed(self, task: int, error: BaseException) -> None:
        """A task raised, or needed one that did, or was left out."""
        ...


@runtime_checkable
class Run(Protocol):
    """One submitted graph."""

    @property
    def handles(self) -> tuple[Handle, ...]:
        """A handle for each wanted part, in the order asked for."""
        ...

    def wait(self, timeout: float | None = None) -> None:
        """Return when all is done; raise the first error.

        Raises TimeoutError after `timeout` seconds (the run goes on), RunCancelledError if it was
        cancelled, ExecutorClosedError if its executor was closed before it ended.
        """
        ...

    def help_with(self, task: int, timeout: float | None = None) -> None:
        """Called inside a task that is about to wait for another: run what that one needs here.

        Returns when the other is done or the time is over; at once where nothing can be done from
        here, such as outside of tasks and in executors whose tasks run elsewhere.
        """
        ...

    def result(self) -> list[object]:
        """Wait, gather the wanted values and release them."""
        ...

    def cancel(self) -> None:
        """Drop what has not started; what runs is told to stop. No effect on an ended run."""
        ...

    def metrics(self) -> list[TaskMetrics]:
        """Measurements of the tasks finished so far, by task id."""
        ...


@runtime_checkable
class Executor(Protocol):
    """Something that runs graphs; a context manager that closes itself."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        ...

    @property
    def threads(self) -> int:
        """How many of them run at a time in one process."""
        ...

    @property
    def shares_memory(self) -> bool:
        """Whether results are in this process, so that gathering one copies nothing."""
        ...

    @property
    def memory_limit(self) -> int | None:
        """Bytes that its tasks and their results may use in one process; None without a limit."""
        ...

    def submit(
        self,
        graph: TaskGraph,
        want: Sequence[Ref],
        observe: Observer | None = None,
        *,
        priority: int = 0,
        jobs: Jobs | None = None,
    ) -> Run:
        """Start what the wanted parts need. The graph must not be changed afterwards.

        Parameters
        ----------
        graph : TaskGraph
        want : sequence of Ref
            The parts to keep. With `jobs`, tasks of one output.
        observe : callable, optional
            Called with every event of the run.
        priority : int
            Ready tasks of a run with a higher one start before those of others.
        jobs : Jobs, optional
            Makes the wanted tasks independent calls, told of one by one (see above).
        """
        ...

    def gather(self, handles: Sequence[Handle]) -> list[object]:
        """The values of kept results, in order. HandleError if one is not kept."""
        ...

    def release(self, handles: Sequence[Handle]) -> None:
        """Let go of kept results. Releasing twice is no error."""
        ...

    def close(self) -> None:
        """Cancel what runs, let go of everything. Closing twice is no error."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def check_jobs(graph: TaskGraph, want: Sequence[Ref]) -> None:
    """For executors: raise GraphError unless every wanted task has one output, as jobs must."""
    for ref in want:
        outputs = graph.group_of(ref.task).outputs
        if outputs != 1:
            raise GraphError(
                f"A job has one output, but a task of group {graph.group_of(ref.task).name!r} has"
                f" {outputs}: want its parts in a run without jobs"
            )
