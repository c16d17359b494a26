"""Worker: the process that runs tasks.

One thread has the loop: connections to the scheduler, to other workers, to clients. The others run
tasks. Between them stands the pure state machine (`state/worker_state.py`) under a lock: whoever
has news tells it, and does what it commands. So a thread that has ended a task takes the next by
itself, without waking the loop; what is for the scheduler is gathered and leaves with the loop's
next turn.

A worker is one connection to the scheduler. When that ends the worker ends; it never comes back
with old state. Its supervisor starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import mmap
import os
import queue
import signal
import sys
import threading
import time

from plait.scheduler.context import Place, Seat, place_here, take_place
from plait.scheduler.crash_slots import writer
from plait.scheduler.host import process_memory
from plait.scheduler.net import comm
from plait.scheduler.net.address import Address
from plait.scheduler.net.comm import Connection
from plait.scheduler.net.control import Hello, Leave, Leaving, Load, Moved, Welcome
from plait.scheduler.net.protocol import Frame
from plait.scheduler.net.wire import CODEC, TO_WORKER
from plait.scheduler.pressure import Pressure
from plait.scheduler.scratch import ScratchFolder
from plait.scheduler.state import messages as m
from plait.scheduler.state import worker_messages as w
from plait.scheduler.state.worker_state import WorkerState
from plait.scheduler.store import Store
from plait.scheduler.task_runner import Outcome, TaskRunner
from plait.scheduler.transfer import Transfer
from plait.scheduler.worker_options import Options

_log = logging.getLogger(__name__)

_TICK = 0.1
_LOOK = 0.004  # seconds between two looks for results to report
_SWITCH = 0.001  # seconds until a thread must let another one run
_MEMORY = 0.5  # seconds between two looks at our memory
_ALONE, _FAILED = "the scheduler is gone", "its loop failed"
_STUCK = 5.0  # seconds that we are too full to run anything, until that is no help any more
_LEAKED = 0.1  # of the limit: with fewer bytes of results it is not they that fill us
_JOIN = 10.0  # seconds to wait for the scheduler's welcome


class Worker:
    """A worker of this process."""

    def __init__(
        self, address: Address, name: str, options: Options, slots: mmap.mmap | None = None
    ) -> None:
        self.address, self.name, self.options = address, name, options
        self.number = -1
        self.scratch = ScratchFolder(options.scratch)
        limit = options.memory_limit
        self.store = Store(self.scratch)
        self.pressure = Pressure(self.store, limit)
        self.runner = TaskRunner(self.store)
        self._slots = slots
        self._lock = threading.RLock()
        self._state: WorkerState | None = None
        self._tasks: queue.SimpleQueue[w.Start | None] = queue.SimpleQueue()
        self._threads: set[int] = set()  # the numbers of those that run
        self._outbox: list[object] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduler: Connection | None = None
        self._transfer: Transfer | None = None
        self._ended: asyncio.Event | None = None
        self._memory_seen = 0.0
        self._full_since: float | None = None
        self._leaving = False
        self._waiting = 0
        self._moves: list[tuple[str, float, float, int]] = []
        self._looking = False  # whether the loop looks for results that are to be reported
        self.why = ""

    # ------------------------------------------------------------------------------------ beginning

    async def run(self) -> None:
        """Join the cluster, and work until it ends or lets go of us."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        options = self.options
        self._transfer = Transfer(self.address, self.store, self.handle)
        listener = comm.Listener(
            self.address.token,
            self._transfer.welcome,
            *(options.tls_cert, options.tls_key, options.tls_ca),
        )
        port = listener.listen_at(options.host, options.port)
        try:
            self._scheduler = await comm.connect(self.address, "worker", self.name)
            await self._join(self._scheduler, port, listener.tls)
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                self._loop.add_signal_handler(signal.SIGTERM, self.leave)
            tick = self._loop.create_task(self._ticking())
            tick.add_done_callback(self._ticked)
            await self._ended.wait()
            tick.cancel()
        finally:
            listener.stop()
            self.close()

    async def _join(self, scheduler: Connection, port: int, tls: bool) -> None:
        options = self.options
        host = "" if options.host in ("", "0.0.0.0", "::") else options.host
        welcomed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def receive(frames: list[Frame]) -> None:
            for frame in frames:
                for message in CODEC.decode(frame):
                    if isinstance(message, Welcome) and not welcomed.done():
                        if message.watched:
                            self._be_watched()
                        self._begin(message.number)
                        welcomed.set_result(message.number)
                    else:
                        self._hear(message)

        def closed(_: Connection) -> None:
            if not welcomed.done():
                welcomed.set_exception(ConnectionError("The scheduler did not take this worker"))
            self._end(_ALONE)

        scheduler.receive, scheduler.closed = receive, closed
        scheduler.start()
        scheduler.insist(lambda: True, comm.SCHEDULER_SILENCE)
        hello = Hello(
            *(host, port, tls, options.threads, options.memory_limit or 0),
            *(options.resources, os.getpid()),
        )
        scheduler.send(*CODEC.encode([hello]))
        await asyncio.wait_for(welcomed, _JOIN)

    def _begin(self, number: int) -> None:
        """The scheduler's number for us is known: threads may start."""
        self.number = number
        self._state = WorkerState(number, self.options.threads)
        for _ in range(self.options.threads):
            self._start_thread()

    def _be_watched(self) -> None:
        """There is a dashboard: note what only that wants to know."""
        assert self._transfer is not None
        self.runner.watched = True
        self._transfer.moved = self.store.moved = self._note

    def _note(self, kind: str, start: float, size: int) -> None:
        """Something was fetched or written, and has just ended. Any thread."""
        self._moves.append((kind, start, time.monotonic() - start, size))

    def _tell_moves(self) -> None:
        moves, self._moves = self._moves, []
        if moves and self._scheduler is not None:
            kinds, starts, seconds, sizes = zip(*moves, strict=True)
            told = Moved(time.monotonic(), kinds, starts, seconds, sizes)
            self._scheduler.send(*CODEC.encode([told]))

    def _start_thread(self) -> None:
        number = min(set(range(len(self._threads) + 1)) - self._threads)
        self._threads.add(number)
        name = f"{self.name}/{number}"
        threading.Thread(target=self._work, args=(name, number), name=name, daemon=True).start()

    # -------------------------------------------------------------------------------------- the end

    def leave(self) -> None:
        """Ask the scheduler to let us go; at the second time go at once."""
        if self._leaving or self._scheduler is None or self._scheduler.gone:
            self._end("it was told to stop")
            return
        self._leaving = True
        self._scheduler.send(*CODEC.encode([Leaving()]))

    def _end(self, why: str) -> None:
        self.why = self.why or why
        if self._ended is not None:
            self._ended.set()

    def close(self) -> None:
        """Let go of everything."""
        for _ in self._threads:
            self._tasks.put(None)
        self.runner.cancel_all()
        if self._scheduler is not None:
            self._scheduler.close()
        if self._transfer is not None:
            self._transfer.close()
        self.store.clear()
        self.scratch.remove()

    # ------------------------------------------------------------------------------------ the state

    def handle(self, *events: w.WorkerEvent) -> None:
        """Tell the state what happened and do what it says. Any thread."""
        with self._lock:
            state = self._state
            if state is None:
                return
            for event in events:
                for command in state.handle(event, time.monotonic()):
                    self._do(command)

    def _after(self, outcome: Outcome) -> w.Start | None:
        """Tell the state how a task ended; what the same thread is to run now, if anything."""
        start: w.Start | None = None
        with self._lock:
            assert self._state is not None
            for command in self._state.handle(outcome, time.monotonic()):
                if start is None and type(command) is w.Start:
                    start = command
                else:
                    self._do(command)
        return start

    def _do(self, command: w.WorkerCommand) -> None:
        match command:
            case w.Start():
                self._tasks.put(command)
            case w.ToScheduler(message):
                self._outbox.append(message)
                if len(self._outbox) == 1:
                    self._call_loop(self._flush)
            case w.Delete(keys):
                self.store.drop(keys)
            case w.Fetch(peer, keys, making):
                assert self._transfer is not None
                self._call_loop(self._transfer.fetch, peer, keys, making)
            case w.Serve(keys):
                assert self._transfer is not None
                self._call_loop(self._transfer.serve, keys)

    def _look_for_results(self) -> None:
        """See that results are reported, though their thread is busy with something long.

        The loop looks by itself while tasks run: to be woken for it would cost the threads more.
        """
        state = self._state
        assert state is not None
        assert self._loop is not None
        due = state.flush_due
        if due is not None and time.monotonic() >= due:
            self.handle(m.Tick())
        if state.running or state.flush_due is not None:
            self._loop.call_later(_LOOK, self._look_for_results)
        else:
            self._looking = False

    def _call_loop(self, function: object, *args: object) -> None:
        loop = self._loop
        assert loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(function, *args)  # type: ignore[arg-type]

    def _flush(self) -> None:
        with self._lock:
            out, self._outbox = self._outbox, []
        if out and self._scheduler is not None:
            self._scheduler.send(*CODEC.encode(out))
            self._scheduler.flush()

    # ---------------------------------------------------------------------------------- the network

    def _hear(self, message: object) -> None:
        match message:
            case m.Functions(ids, functions):
                self.runner.learn(ids, functions)
                self.handle(message)
            case m.Peers(workers, addresses):
                assert self._transfer is not None
                self._transfer.learn(workers, addresses)
                self.handle(message)
            case m.PeersGone(workers):
                assert self._transfer is not None
                self._transfer.forget(workers)
                self.handle(message)
            case m.Discard(tasks, attempts):
                self.runner.cancel(tasks, attempts)
                self.handle(message)
            case m.RunTasks():
                self.handle(message)
                if not self._looking:
                    self._looking = True
                    self._look_for_results()
            case Leave(why):
                self._end(why)
            case Load():
                pass  # that it was said is enough
            case _ if isinstance(message, TO_WORKER):
                self.handle(message)  # type: ignore[arg-type]
            case _:
                _log.warning("The scheduler sent a %s, which is not for workers", message)

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            events: list[w.WorkerEvent] = [m.Tick()]
            now = time.monotonic()
            used = process_memory()
            self.pressure.look(used)
            if now - self._memory_seen >= _MEMORY:
                self._memory_seen = now
                limit = self.options.memory_limit or 0
                stuck = self._is_stuck(now)
                events.insert(0, w.MemoryUsed(used, limit, self.store.spilled, stuck))
            self.handle(*events)
            self._tell_moves()

    def _is_stuck(self, now: float) -> bool:
        """Whether we are too full to run anything, and waiting has not helped.

        If our results are not what fills us, something has leaked: a new process takes our place.
        """
        state = self._state
        if state is None or not state.paused or state.running or self._leaving:
            self._full_since = None
            return False
        self._full_since = self._full_since or now
        if now - self._full_since < _STUCK:
            return False
        if self.store.bytes < _LEAKED * (self.options.memory_limit or 0):
            _log.warning("Worker %s is full of what tasks have left behind; it ends", self.name)
            self.leave()
        return True

    def _ticked(self, tick: asyncio.Task[None]) -> None:
        """Without ticks we would be silent, and stopped for it much later."""
        if not tick.cancelled() and tick.exception() is not None:
            _log.error("The worker cannot go on", exc_info=tick.exception())
            self._end(_FAILED)

    # ---------------------------------------------------------------------------------- the threads

    def _work(self, name: str, number: int) -> None:
        """What a thread does all its life."""
        options = self.options
        share = options.memory_limit
        seat = Seat(
            name,
            self.scratch,
            None if share is None else max(1, share // options.threads),
            share,
        )
        take_place(Place(seat, self))
        mark = writer(self._slots, number)
        get, execute = self._tasks.get, self.runner.execute
        while True:
            start = get()
            if start is None:
                with self._lock:
                    self._threads.discard(number)
                return
            while start is not None:
                mark(start.task)
                outcome = execute(start, seat, number)
                mark(-1)
                start = self._after(outcome)
                del outcome

    # ---------------------------------------------------------------------------- waiting in a task

    def seat_given_up(self) -> None:
        """The task on this thread waits for other tasks: another thread takes its place."""
        with self._lock:
            self._start_thread()
            self._waiting += 1
            self.handle(m.Waiting(self.number, self._waiting))

    def seat_taken_again(self) -> None:
        """It goes on: one thread less."""
        with self._lock:
            self._waiting -= 1
            self.handle(m.Waiting(self.number, self._waiting))
        self._tasks.put(None)


def current_worker() -> Worker | None:
    """The worker whose task this thread is running."""
    home = place_here().home
    return home if isinstance(home, Worker) else None


def main(address: Address, name: str, options: Options, slots: mmap.mmap | None = None) -> None:
    """The life of a worker's process. SystemExit with 0 if it ended as it should."""
    gc.freeze()  # what was there before the fork is no garbage, and is not to be copied either
    # The loop's thread waits so long for one that computes without a pause. Longer than what lies
    # in our queue takes, if tasks are small, and we would have run dry before anybody knows.
    sys.setswitchinterval(_SWITCH)
    worker = Worker(address, name, options, slots)
    global _process_worker
    _process_worker = worker
    asyncio.run(worker.run())
    _log.info("Worker %s ends: %s", name, worker.why)
    # threads that still run tasks are not waited for
    os._exit(3 if worker.why in (_ALONE, _FAILED) else 0)


_process_worker: Worker | None = None


def process_worker() -> Worker | None:
    """The worker of this process, on whichever thread."""
    return _process_worker
