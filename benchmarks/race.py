"""Who is faster at the same jobs, and do they give the same answers?

Every contestant lives in a process of its own, so that no one's threads, caches or allocator are in
another's way. Only one process works at a time. A job is run by A B C A B C ..., first once
untimed (files in the page cache, code loaded), then timed; before each run the contestant opens a
fresh session. The answers of all are compared with those of the first contestant that has one.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.assertions import assert_same_rows

Answer = Callable[[str], pa.Table]
Settings = Mapping[str, Any]


class SkipJobError(Exception):
    """A contestant cannot do a job; the text says why."""


@dataclass(frozen=True)
class Contestant:
    """A name, and how to open a session: the settings in, a function from job to answer out.

    `open` must be a function of a module: it is looked up in the contestant's own process.
    """

    name: str
    open: Callable[[Settings], Answer]


@dataclass
class Result:
    """How one contestant did at one job; times in seconds, memory in MB."""

    status: str = "ok"  # ok, wrong, skipped, failed, timeout
    note: str = ""
    runs: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    @property
    def best(self) -> float | None:
        return min(self.runs) if self.runs and self.status == "ok" else None

    @property
    def median(self) -> float | None:
        return statistics.median(self.runs) if self.runs and self.status == "ok" else None

    def record(self) -> dict[str, Any]:
        return {**asdict(self), "best": self.best, "median": self.median}


Results = dict[str, dict[str, Result]]  # job, contestant


def add_arguments(parser: argparse.ArgumentParser, *, rounds: int = 3) -> None:
    """The options that every race has."""
    parser.add_argument("--rounds", type=int, default=rounds, help="timed runs of each job")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contestant")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one run")
    parser.add_argument("--only", nargs="*", help="contestants, by name")
    parser.add_argument("--json", type=Path, help="write the figures here")


def limit_threads(threads: int) -> None:
    """Set what libraries read when they are imported, for the processes started after this."""
    for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PLAIT_THREADS"):
        os.environ[name] = str(threads)


def race(
    jobs: Sequence[str],
    contestants: Sequence[Contestant],
    settings: Settings,
    *,
    rounds: int = 3,
    timeout: float = 300,
    ordered: bool = False,
    rel: float = 1e-9,
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
                        _compare(result, answer, expected, ordered, rel)
            print(_progress(job, results[job]), file=sys.stderr, flush=True)
    finally:
        for runner in runners.values():
            runner.stop()
    return results


def _compare(
    result: Result, answer: pa.Table, expected: pa.Table, ordered: bool, rel: float
) -> None:
    try:
        assert_same_rows(answer, expected, ordered, rel, names=False)
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
    while (request := pipe.recv()) is not None:
        job, wants_answer = request
        status, seconds, table, note = "ok", 0.0, None, ""
        try:
            answer = open_session(settings)
            gc.collect()
            started = time.perf_counter()
            table = answer(job)
            seconds = time.perf_counter() - started
        except SkipJobError as reason:
            status, note = "skipped", str(reason)
        except Exception as error:  # whatever a library raises is its result
            status, note = "failed", f"{type(error).__name__}: {error}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pipe.send((status, seconds, table if wants_answer else None, note, peak))


def _progress(job: str, results: Mapping[str, Result]) -> str:
    figures = (f"{name} {r.best:.3f}" if r.best else f"{name} -" for name, r in results.items())
    return f"{job}: {', '.join(figures)}"


def table(results: Results, ours: str = "plait") -> str:
    """Best seconds of everybody, our ratio to each other, and the totals of what both did."""
    names = list(next(iter(results.values()), {}))
    others = [name for name in names if name != ours] if ours in names else []
    width = max([len(job) for job in results] + [8])
    head = f"{'':{width}}" + "".join(f"{n:>11}" for n in names)
    lines = [head + "".join(f"{'/' + n:>11}" for n in others)]
    for job, row in results.items():
        cells = "".join(f"{_cell(row[n]):>11}" for n in names)
        ratios = "".join(f"{_ratio(row[ours].best, row[n].best):>11}" for n in others)
        lines.append(f"{job:{width}}{cells}{ratios}")
    totals = "".join(f"{_total(results, [n])[0]:11.3f}" for n in names)
    compared = ""
    for name in others:
        us, them = _total(results, [ours, name])
        compared += f"{_ratio(us, them):>11}"
    lines.append(f"{'total':{width}}{totals}{compared}")
    counts = "".join(f"{sum(r[n].best is not None for r in results.values()):>11}" for n in names)
    lines.append(f"{'jobs':{width}}{counts}")
    notes = [
        f"  {job} {name}: {r.status}: {r.note.splitlines()[0] if r.note else ''}"
        for job, row in results.items()
        for name, r in row.items()
        if r.status != "ok"
    ]
    return "\n".join([*lines, *(["", "not counted:", *notes] if notes else [])])


def _cell(result: Result) -> str:
    return result.status if result.best is None else f"{result.best:.3f}"


def _ratio(us: float | None, them: float | None) -> str:
    return f"{us / them:.2f}" if us and them else "-"


def _total(results: Results, names: Sequence[str]) -> list[float]:
    """Sums of the best times of each name, over the jobs that all of the names did."""
    shared = [row for row in results.values() if all(row[n].best is not None for n in names)]
    return [sum(row[n].best or 0.0 for row in shared) for n in names]


def write_json(path: Path, race_name: str, settings: Settings, results: Results) -> None:
    """The figures with what they were measured on, for compare.py and for the record."""
    content = {
        "race": race_name,
        "settings": {k: v for k, v in settings.items() if isinstance(v, (int, float, str))},
        "machine": machine(),
        "results": {
            job: {name: r.record() for name, r in row.items()} for job, row in results.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """Processor, Python and the versions of those who race."""
    versions = {}
    for name in ("plait", "duckdb", "polars", "dask", "pandas", "pyarrow"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "versions": versions,
    }


def chosen(contestants: Sequence[Contestant], only: Sequence[str] | None) -> list[Contestant]:
    """The contestants that were asked for."""
    unknown = set(only or ()) - {c.name for c in contestants}
    if unknown:
        raise SystemExit(f"No contestant named {', '.join(sorted(unknown))}")
    return [c for c in contestants if not only or c.name in only]


def finish(race_name: str, settings: Settings, results: Results, path: Path | None) -> int:
    """Print the table, write the file; 1 if somebody of ours was wrong or failed."""
    print(table(results))
    if path is not None:
        write_json(path, race_name, settings, results)
        print(f"figures: {path}")
    ours = [row["plait"].status for row in results.values() if "plait" in row]
    return int(any(status != "ok" for status in ours))
