"""The scheduler's process: connections around the pure state machine.

Single-threaded. What arrives is told to the state at once; what the state commands is gathered by
connection and leaves when everything readable has been dealt with. Functions, arguments, results
and errors are bytes here: nothing is ever unpickled.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import secrets
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plait.scheduler.host import give_back_large_blocks
from plait.scheduler.net import comm
from plait.scheduler.net.address import Address
from plait.scheduler.net.comm import Connection
from plait.scheduler.net.control import (
    Beat,
    Exited,
    Hello,
    Kill,
    Leave,
    Leaving,
    Load,
    Moved,
    Welcome,
    Workers,
)
from plait.scheduler.net.protocol import Frame
from plait.scheduler.net.wire import CODEC, FROM_CLIENT, FROM_WORKER
from plait.scheduler.state import messages as m
from plait.scheduler.state.membership import Limits
from plait.scheduler.state.scheduler_state import SchedulerState

if TYPE_CHECKING:
    from plait.scheduler.dashboard.of_cluster import ClusterDashboard
    from plait.scheduler.dashboard.watch import ClusterWatch

_log = logging.getLogger(__name__)

_TICK = 0.1
_RUNS = ("R", "S")  # states of a process, as in /proc; another one is stopped, stuck or dead
_SHOW = 0.02  # seconds that news of tasks done may wait
_LOAD = 1.0  # seconds between two words about how busy we are
_REPORT = 1.0  # seconds that a supervisor has to say how its worker ended


@dataclass(frozen=True)
class Settings:
    """How a scheduler listens."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    dashboard: int | None = None
    """The port of the dashboard, 0 for any that is free; None: there is none."""
    limits: Limits = field(default_factory=Limits)


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


@dataclass
class Guest:
    """A worker or client."""

    number: int
    connection: Connection
    out: list[object]
    urgent: bool = False
    """Whether something is in `out` that somebody waits for."""
    hello: Hello | None = None


class Server:
    """A scheduler; `run` until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = SchedulerState(settings.limits)
        self.workers: dict[int, Guest] = {}
        self.clients: dict[int, Guest] = {}
        self.supervisors: dict[str, Connection] = {}
        self.beats: dict[str, Beat] = {}
        self._numbers = {"worker": 0, "client": 0}
        self._beats_heard: list[Beat] = []
        self._exits: dict[str, Exited] = {}
        self._farewells: dict[str, Callable[[Exited | None], None]] = {}
        self._events: list[m.SchedulerEvent] = []
        self._turning = False
        self._showing: asyncio.TimerHandle | None = None
        self._dirty: list[Guest] = []
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._load_seen = 0.0
        self.dashboard: ClusterDashboard | None = None
        self.watch: ClusterWatch | None = None

    async def run(self, listening: Callable[[int, str], None]) -> None:
        """Serve; `listening` is told the port, and the dashboard's URL."""
        settings = self.settings
        if settings.dashboard is not None:
            self._start_dashboard(settings.dashboard)
        listener = comm.Listener(
            *(settings.token, self.welcome, settings.tls_cert, settings.tls_key, settings.tls_ca)
        )
        port = listener.listen_at(settings.host, settings.port)
        listening(port, self._dashboard_url)
        try:
            while not self._stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), _TICK)
                self.tell(m.Tick(self._running()))
                self._tell_load()
        finally:
            listener.stop()
            if self.dashboard is not None:
                self.dashboard.close()
            for guest in [*self.workers.values(), *self.clients.values()]:
                guest.connection.close()

    def _running(self) -> tuple[int, ...]:
        """Workers whose supervisors have just seen their processes run."""
        beats, self._beats_heard = self._beats_heard, []
        if not beats:
            return ()
        names = {
            name
            for beat in beats
            for name, state in zip(beat.workers, beat.states, strict=True)
            if state in _RUNS
        }
        return tuple([n for n, guest in self.workers.items() if guest.connection.name in names])

    def stop(self) -> None:
        """End `run`."""
        self._stopped.set()

    def _start_dashboard(self, port: int) -> None:
        # Here, because nobody else is to wait for the web server to be loaded.
        from plait.scheduler.dashboard.of_cluster import ClusterDashboard

        settings = self.settings
        self.dashboard = ClusterDashboard(
            settings.host, port, settings.tls_cert, settings.tls_key, settings.tls_ca
        )
        self.watch = self.dashboard.watch

    @property
    def _dashboard_url(self) -> str:
        return "" if self.dashboard is None else self.dashboard.url

    # ----------------------------------------------------------------------------------- the state

    def tell(self, event: m.SchedulerEvent) -> None:
        """An event for the state, which gets all those of a turn of the loop together."""
        self._events.append(event)
        if self.watch is not None:
            self.watch.heard(event)
        self._soon()

    def _turn(self) -> None:
        """Tell the state, and do what it says: one frame for each connection."""
        self._turning = True
        events, self._events = self._events, []
        for command in self.state.handle_all(events, time.monotonic()):
            match command:
                case m.ToWorker(worker, message):
                    self._send(self.workers.get(worker), message)
                case m.ToClient(client, message):
                    if self.watch is not None:
                        self.watch.said(client, message)
                    self._send(self.clients.get(client), message)
                case m.Stop(worker, kill, reason):
                    self._stop_worker(worker, kill, reason)
        self._flush()
        # what was sent in this turn has left with it
        self._turning = bool(self._events)
        if self._events:
            self._loop.call_soon(self._turn)

    def _send(self, guest: Guest | None, message: object) -> None:
        if guest is None:
            return
        if not guest.out:
            self._dirty.append(guest)
        guest.out.append(message)
        guest.urgent = guest.urgent or type(message) is not m.TasksDone
        self._soon()

    def _show(self) -> None:
        self._showing = None
        for guest in self._dirty:
            guest.urgent = True
        self._soon()

    def _soon(self) -> None:
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for guest in dirty:
            if not guest.urgent and guest.connection.role == "client":
                # which tasks are done is for show, and can wait for what follows
                self._dirty.append(guest)
                if self._showing is None:
                    self._showing = self._loop.call_later(_SHOW, self._show)
                continue
            guest.urgent = False
            out, guest.out = guest.out, []
            guest.connection.send(*CODEC.encode(out))
            guest.connection.flush()

    def _stop_worker(self, worker: int, kill: bool, reason: str) -> None:
        guest = self.workers.get(worker)
        if guest is None:
            return
        if not kill:
            self._send(guest, Leave(reason))
            return
        name = guest.connection.name
        _log.warning("Worker %s is stopped: %s", name, reason)
        supervisor = self._supervisor_of(name)
        if supervisor is not None:
            supervisor.send(*CODEC.encode([Kill(name, reason)]))
        guest.connection.close()

    # --------------------------------------------------------------------------------- who is there

    def welcome(self, connection: Connection) -> None:
        """Somebody who knows the token."""
        match connection.role:
            case "supervisor":
                self._welcome_supervisor(connection)
            case "worker":
                self._welcome_worker(connection)
            case "client":
                self._welcome_client(connection)
            case role:
                _log.warning("There is nothing here for the role %r", role)
                connection.close()
                return
        connection.start()

    def _number(self, role: str) -> int:
        self._numbers[role] += 1
        return self._numbers[role]

    def _welcome_client(self, connection: Connection) -> None:
        number = self._number("client")
        guest = self.clients[number] = Guest(number, connection, [])

        def hear(message: object) -> None:
            if not isinstance(message, FROM_CLIENT) or message.client != number:  # type: ignore[attr-defined]
                raise ValueError(f"a client may not send {type(message).__name__}")
            self.tell(message)  # type: ignore[arg-type]

        def closed(_: Connection) -> None:
            del self.clients[number]
            self.tell(m.ClientGone(number))

        connection.receive, connection.closed = _listening(hear), closed
        self._send(guest, Welcome(number, self.watch is not None, self._dashboard_url))
        self._send(guest, self._present())
        self.tell(m.ClientJoined(number))

    def _welcome_worker(self, connection: Connection) -> None:
        number = self._number("worker")
        guest = Guest(number, connection, [])

        def hear(message: object) -> None:
            if guest.hello is None:
                if not isinstance(message, Hello):
                    raise ValueError("a worker introduces itself first")
                guest.hello = message
                self._worker_joined(guest, message)
            elif isinstance(message, Leaving):
                self.tell(m.Retire(number))
            elif isinstance(message, Moved):
                if self.watch is not None:
                    self.watch.moved(number, message)
            elif isinstance(message, FROM_WORKER) and message.worker == number:  # type: ignore[attr-defined]
                self.tell(message)  # type: ignore[arg-type]
            else:
                raise ValueError(f"a worker may not send {type(message).__name__}")

        connection.receive = _listening(hear)
        connection.closed = lambda _: self._worker_closed(guest)

    def _worker_joined(self, guest: Guest, hello: Hello) -> None:
        self.workers[guest.number] = guest
        host = hello.host or guest.connection.peer_host
        place = Address(host, hello.port, hello.tls).place
        self._send(guest, Welcome(guest.number, self.watch is not None))
        if self.watch is not None:
            self.watch.joined(guest.number, guest.connection.name, hello)
        self.tell(
            m.WorkerJoined(
                *(guest.number, place, hello.threads, hello.memory_limit, hello.resources)
            )
        )
        self._present_to_all()

    def _worker_closed(self, guest: Guest) -> None:
        if self.workers.pop(guest.number, None) is None:
            return
        self._present_to_all()
        name = guest.connection.name

        def gone(exited: Exited | None) -> None:
            self._farewells.pop(name, None)
            self._exits.pop(name, None)
            if exited is None:
                event = m.WorkerGone(guest.number)
            else:
                event = m.WorkerGone(
                    *(guest.number, exited.running, _reason(exited)), expected=exited.code == 0
                )
            if self.watch is not None:
                self.watch.left(event.worker, event.reason, event.expected)
            self.tell(event)

        exited = self._exits.get(name)
        if exited is not None or self._supervisor_of(name) is None:
            gone(exited)
            return
        # its supervisor will say in a moment which task is to blame
        self._farewells[name] = gone

        def silent() -> None:
            if self._farewells.get(name) is gone:
                gone(None)

        self._loop.call_later(_REPORT, silent)

    def _welcome_supervisor(self, connection: Connection) -> None:
        self.supervisors[connection.name] = connection

        def hear(message: object) -> None:
            match message:
                case Beat():
                    self.beats[connection.name] = message
                    self._beats_heard.append(message)
                    if self.watch is not None:
                        self.watch.beat(message)
                case Exited(worker):
                    _log.info("Worker %s ended: %s", worker, message)
                    farewell = self._farewells.get(worker)
                    if farewell is not None:
                        farewell(message)
                    elif any(g.connection.name == worker for g in self.workers.values()):
                        self._exits[worker] = message
                case _:
                    raise ValueError(f"a supervisor may not send {type(message).__name__}")

        def closed(_: Connection) -> None:
            self.supervisors.pop(connection.name, None)
            self.beats.pop(connection.name, None)

        connection.receive, connection.closed = _listening(hear), closed

    def _supervisor_of(self, worker: str) -> Connection | None:
        """By the worker's name, which begins with its supervisor's."""
        return self.supervisors.get(worker.rpartition("-")[0])

    def _present(self) -> Workers:
        guests = [(g, g.hello) for g in self.workers.values() if g.hello is not None]
        return Workers(
            tuple([g.number for g, _ in guests]),
            tuple([g.connection.name for g, _ in guests]),
            tuple([hello.threads for _, hello in guests]),
            tuple([hello.memory_limit for _, hello in guests]),
        )

    def _present_to_all(self) -> None:
        present = self._present()
        for client in self.clients.values():
            self._send(client, present)

    def _tell_load(self) -> None:
        """A word to everybody: who hears nothing for long takes us for dead."""
        now = time.monotonic()
        if now - self._load_seen >= _LOAD:
            self._load_seen = now
            load = Load(self.state.placement.ready + self.state.placement.sent)
            frame = CODEC.encode([load])
            for guest in [*self.clients.values(), *self.workers.values()]:
                guest.connection.send(*frame)
            for supervisor in self.supervisors.values():
                supervisor.send(*frame)


def _listening(hear: Callable[[object], None]) -> Callable[[list[Frame]], None]:
    """What to do with frames: every message is heard."""

    def receive(frames: Iterable[Frame]) -> None:
        for frame in frames:
            for message in CODEC.decode(frame):
                hear(message)

    return receive


def _reason(exited: Exited) -> str:
    if exited.why:
        how = exited.why
    elif exited.code < 0:
        try:
            how = f"killed by {signal.Signals(-exited.code).name}"
        except ValueError:
            how = f"killed by signal {-exited.code}"
    else:
        how = f"its process ended with code {exited.code}"
    if exited.memory:
        how += f", last seen with {exited.memory >> 20} MiB"
    return how


def serve(settings: Settings, listening: Callable[[int, str], None]) -> None:
    """Run a scheduler in this process until SIGTERM or Ctrl-C."""

    async def main() -> None:
        server = Server(settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, server.stop)
        # tasks are columns, without cycles: looking for garbage would take longer and longer
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        await server.run(listening)

    give_back_large_blocks()
    asyncio.run(main())
