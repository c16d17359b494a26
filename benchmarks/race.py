"""Who is faster at the same jobs, and do they give the same answers?

Every contestant lives in a process of its own, so that no one's threads, caches or allocator are in
another's way. Only one process works at a time. A job is run by A B C A B C ..., first once
untimed (files in the page cache, code loaded), then timed; before each run the contestant opens a
fresh session, unless `settings["keep"]` lets one session serve all runs. The answers of all are
compared with those of the first contestant that has one, large ones by their digests.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.digest import digest
from benchmarks.figures import Result, Results
from tests.assertions import assert_same_rows

# A job's answer: a table, or what makes one of it once the clock has stopped.
Answer = Callable[[str], pa.Table | Callable[[], pa.Table]]
Settings = Mapping[str, Any]


class SkipJobError(Exception):
    """A contestant cannot do a job; the text says why."""


@dataclass(frozen=True)
class Contestant:
    """A name, and how to open a session: the settings in, a function from job to answer out.

    `open` must be a function of a module: it is looked up in the contestant's own process.
    `rel` is how far its floats may be from those of others, if more than the race allows.
    """

    name: str
    open: Callable[[Settings], Answer]
    rel: float = 0.0


def add_arguments(parser: argparse.ArgumentParser, *, rounds: int = 3) -> None:
    """The options that every race has."""
    parser.add_argument("--rounds", type=int, default=rounds, help="timed runs of each job")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contestant")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one run")
    parser.add_argument("--only", nargs="*", help="contestants, by name")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument(
        "--plait-config", nargs="*", default=[], metavar="KEY=VALUE", help="settings of plait"
    )


def plait_settings(pairs: Sequence[str], keep: bool = False) -> str:
    """Give the settings to all processes started after this; the text that records them.

    Unless `keep`, the column cache is off: every run reads its files.
    """
    if not keep:
        pairs = ["column_cache.bytes=0", *pairs]
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SystemExit(f"--plait-config takes key=value, not {pair!r}")
        os.environ["PLAIT_" + key.strip().upper().replace(".", "__")] = value.strip()
    return " ".join(pairs)


# What libraries read when they are imported.
THREADS = (
    "POLARS_MAX_THREADS",
    "TOKIO_WORKER_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PLAIT_THREADS",
)


def limit_threads(threads: int) -> None:
    """So many for each of the processes started after this."""
    os.environ.update(dict.fromkeys(THREADS, str(threads)))


def race(
    jobs: Sequence[str],
    contestants: Sequence[Contestant],
    settings: Settings,
    *,
    rounds: int = 3,
    timeout: float = 300,
    ordered: bool = False,
    rel: float = 1e-9,
    absolute: float = 0.0,
) -> Results:
    """Run all jobs by all contestants; `settings` is handed to every `open`."""
    limit_threads(settings["threads"])
    runners = {c.name: _Runner(c, settings, timeout) for c in contestants}
    results: Results = {}
    try:
        for job in jobs:
            results[job] = {name: Result() for name in runners}
            expected: pa.Table | None = None
            for turn in range(rounds + 1):
                for name, runner in runners.items():
                    result = results[job][name]
                    if result.status != "ok":
                        continue
                    answer = runner.run(job, result, timed=turn > 0)
                    if turn == 0 and answer is not None:
                        if expected is None:
                            expected = answer
                        allowed = max(rel, runner.contestant.rel)
                        _compare(result, answer, expected, ordered, allowed, absolute)
            print(_progress(job, results[job]), file=sys.stderr, flush=True)
    finally:
        for runner in runners.values():
            runner.stop()
    return results


def once(job: str, contestant: Contestant, settings: Settings, timeout: float = 300) -> Result:
    """One timed run in a process of its own, which has seen no job before."""
    limit_threads(settings["threads"])
    runner, result = _Runner(contestant, settings, timeout), Result()
    try:
        runner.run(job, result, timed=True)
    finally:
        runner.stop()
    return result


def answers(
    jobs: Sequence[str], contestant: Contestant, settings: Settings, timeout: float = 300
) -> Iterator[tuple[str, pa.Table]]:
    """The answers of one contestant alone, as they come, of the jobs that it can do."""
    limit_threads(settings["threads"])
    runner = _Runner(contestant, settings, timeout)
    try:
        for job in jobs:
            answer = runner.run(job, Result(), timed=False)
            if answer is not None:
                yield job, answer
    finally:
        runner.stop()


def _compare(
    result: Result,
    answer: pa.Table,
    expected: pa.Table,
    ordered: bool,
    rel: float,
    absolute: float,
) -> None:
    try:
        assert_same_rows(answer, expected, ordered, rel, absolute=absolute, names=False)
    except AssertionError as difference:
        result.status, result.note = "wrong", str(difference)


class _Runner:
    """The process of one contestant; started again after it was lost."""

    def __init__(self, contestant: Contestant, settings: Settings, timeout: float) -> None:
        self.contestant = contestant
        self.settings = settings
        self.timeout = timeout
        self.process: Any = None
        self.pipe: Connection | None = None

    def run(self, job: str, result: Result, *, timed: bool) -> pa.Table | None:
        """One run. Its time goes into the result if it is timed; else its answer comes back."""
        pipe = self.pipe or self._start()
        pipe.send((job, not timed))
        try:
            if not pipe.poll(self.timeout):
                result.status, result.note = "timeout", f"more than {self.timeout:g} s"
                self.stop(kill=True)
                return None
            status, seconds, answer, note, peak = pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join(10)  # the pipe closes a moment before there is an exit code
            code = self.process.exitcode
            result.status, result.note = "failed", f"the process ended with code {code}"
            self.stop(kill=True)
            return None
        result.status, result.note = status, note
        result.peak_mb = max(result.peak_mb, peak)
        if timed and status == "ok":
            result.runs.append(seconds)
        return answer

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, self.contestant.open, dict(self.settings))
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()  # it is there: its start does not count as time of a job
        return self.pipe

    def stop(self, *, kill: bool = False) -> None:
        if self.pipe is None:
            return
        if kill:
            self.process.kill()
        else:
            with contextlib.suppress(BrokenPipeError):
                self.pipe.send(None)
        self.process.join(10)
        self.pipe.close()
        self.pipe = None


def _serve(
    pipe: Connection, open_session: Callable[[Settings], Answer], settings: Settings
) -> None:
    pa.set_cpu_count(settings["threads"])
    pipe.send("ready")
    session: Answer | None = None
    while (request := pipe.recv()) is not None:
        job, wants_answer = request
        status, seconds, peak, table, note = "ok", 0.0, 0.0, None, ""
        try:
            if session is None or not settings.get("keep"):
                session = open_session(settings)
            gc.collect()
            started = time.perf_counter()
            answer = session(job)
            seconds = time.perf_counter() - started
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            if wants_answer:
                table = digest(answer() if callable(answer) else answer)
            answer = None  # two large answers at a time would not fit
        except SkipJobError as reason:
            status, note = "skipped", str(reason)
        except Exception as error:  # whatever a library raises is its result
            status, note = "failed", f"{type(error).__name__}: {error}"
        pipe.send((status, seconds, table, note, peak))


def _progress(job: str, results: Mapping[str, Result]) -> str:
    figures = (f"{name} {r.best:.3f}" if r.best else f"{name} -" for name, r in results.items())
    return f"{job}: {', '.join(figures)}"


def chosen(contestants: Sequence[Contestant], only: Sequence[str] | None) -> list[Contestant]:
    """The contestants that were asked for."""
    unknown = set(only or ()) - {c.name for c in contestants}
    if unknown:
        raise SystemExit(f"No contestant named {', '.join(sorted(unknown))}")
    return [c for c in contestants if not only or c.name in only]
