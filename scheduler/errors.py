"""What the scheduler itself raises.

An error of a task is never wrapped: it reaches the waiter with its own type and traceback, and a
note that names the task. The classes here are for the scheduler's own complaints, and each is also
the built-in a caller would expect.

    GraphError(ValueError)             a graph that cannot be built: bad reference, unknown group
    OutputCountError(ValueError)       a function did not return the parts its group promises
    HandleError(KeyError)              a result that is not kept (any more) by this executor
    ExecutorClosedError(RuntimeError)  work for, or a wait on, an executor that has been closed
    RunCancelledError(CancelledError)  the run was cancelled, by a call or by Ctrl-C
    TaskTimeoutError(TimeoutError)     a call took longer than its `time_limit`

Between processes there are also

    SerializationError(TypeError)      what cannot be pickled, or not be unpickled over there
    RemoteError(RuntimeError)          a task's error whose own type cannot be made here
    WorkerKilledError(RuntimeError)    a task that its workers do not survive
    ProtocolError(ConnectionError)     a peer that sends something else than plait does
    AuthenticationError(PermissionError)  a wrong token, another version
    SchedulerLostError(ConnectionError)   the scheduler is gone
    DiskFullError(OSError)             results fit neither in a worker's memory nor on its disk
"""

from __future__ import annotations

from concurrent.futures import CancelledError


class GraphError(ValueError):
    """A task graph was built wrongly; says which task and what it referred to."""


class OutputCountError(ValueError):
    """A function of a group with several outputs returned something else than that many parts."""


class HandleError(KeyError):
    """A handle names a result that this executor does not keep."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument; ours is a sentence.
        return str(self.args[0]) if self.args else ""


class ExecutorClosedError(RuntimeError):
    """The executor has been closed."""


class RunCancelledError(CancelledError):
    """The run was cancelled before it finished."""


class TaskTimeoutError(TimeoutError):
    """A call was not done within its `time_limit`."""


class SerializationError(TypeError):
    """A function, an argument or a result cannot be sent to another process, or not read there."""


class RemoteError(RuntimeError):
    """An error of a task in another process that cannot be made again here.

    Its text begins with the name of the type and ends with the traceback over there.
    """


class WorkerKilledError(RuntimeError):
    """The workers that ran a task died of it, again and again."""


class ProtocolError(ConnectionError):
    """What came over a connection is not what plait sends."""


class DiskFullError(OSError):
    """A result fits neither into its worker's memory nor on the disk; the text names the folder."""


class AuthenticationError(PermissionError):
    """A connection was refused: another token, another version, or no answer in time."""


class SchedulerLostError(ConnectionError):
    """The connection to the scheduler is gone, and with it the runs and results of this client."""
