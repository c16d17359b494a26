"""What a race measured: the figures, the table of them, and the file that keeps them.

    /x       our best time over x's
    /best    our best time over that of the fastest of the others, job by job

A total or a mean compares over the jobs that both did; `worst` is the largest ratio of a job.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any


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


Row = Mapping[str, Result]  # of one job, by contestant
Results = dict[str, dict[str, Result]]  # job, contestant
Columns = Mapping[str, Mapping[str, float]]  # further figures of ours: title, job


def ratio(us: float | None, them: float | None) -> float | None:
    """Our time in theirs; None if one of us has none."""
    return us / them if us and them else None


def to_fastest(row: Row, ours: str) -> float | None:
    """Our best time over that of the fastest of the others."""
    others = [r.best for name, r in row.items() if name != ours and r.best is not None]
    return ratio(row[ours].best, min(others, default=None))


def geometric_mean(ratios: Sequence[float | None]) -> float | None:
    """Of those that there are."""
    known = [r for r in ratios if r is not None]
    return statistics.geometric_mean(known) if known else None


def table(results: Results, ours: str = "plait", further: Columns | None = None) -> str:
    """Best seconds of everybody, our ratio to each other and to the fastest of them."""
    names = list(next(iter(results.values()), {}))
    others = [name for name in names if name != ours] if ours in names else []
    columns = further or {}
    width = max([len(job) for job in results] + [9])
    ratios: dict[str, list[float | None]] = {
        f"/{n}": [ratio(row[ours].best, row[n].best) for row in results.values()] for n in others
    }
    if len(others) > 1:
        ratios["/best"] = [to_fastest(row, ours) for row in results.values()]

    lines = ["".join([f"{'':{width}}", *(f"{t:>12}" for t in (*names, *ratios, *columns))])]
    for number, (job, row) in enumerate(results.items()):
        cells = [f"{_cell(row[n]):>12}" for n in names]
        cells += [f"{_two(values[number]):>12}" for values in ratios.values()]
        cells += [f"{_three(values.get(job)):>12}" for values in columns.values()]
        lines.append("".join([f"{job:{width}}", *cells]))

    totals = [f"{_total(results, [n])[0]:12.3f}" for n in names]
    totals += [f"{_two(ratio(*_total(results, [ours, n]))):>12}" for n in others]
    lines.append("".join([f"{'total':{width}}", *totals]))
    counts = [f"{sum(r[n].best is not None for r in results.values()):>12}" for n in names]
    lines.append("".join([f"{'jobs':{width}}", *counts]))
    gap = " " * (width + 12 * len(names) - len("geometric mean"))
    for title, summary in (("geometric mean", geometric_mean), ("worst", _worst)):
        cells = [f"{_two(summary(values)):>12}" for values in ratios.values()]
        lines.append("".join([f"{title:14}", gap, *cells]))
    return "\n".join([*lines, *notes(results)])


def notes(results: Results) -> list[str]:
    """What has no time, and why."""
    found = [
        f"  {job} {name}: {r.status}: {r.note.splitlines()[0] if r.note else ''}"
        for job, row in results.items()
        for name, r in row.items()
        if r.status != "ok"
    ]
    return ["", "not counted:", *found] if found else []


def _cell(result: Result) -> str:
    return result.status if result.best is None else f"{result.best:.3f}"


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _worst(ratios: Sequence[float | None]) -> float | None:
    return max((r for r in ratios if r is not None), default=None)


def _total(results: Results, names: Sequence[str]) -> list[float]:
    """Sums of the best times of each name, over the jobs that all of the names did."""
    shared = [row for row in results.values() if all(row[n].best is not None for n in names)]
    return [sum(row[n].best or 0.0 for row in shared) for n in names]


def write_json(
    path: Path,
    race_name: str,
    settings: Mapping[str, Any],
    results: Results,
    further: Columns | None = None,
) -> None:
    """The figures with what they were measured on, for compare.py and for the record."""
    content = {
        "race": race_name,
        "settings": {k: v for k, v in settings.items() if isinstance(v, (int, float, str))},
        "machine": machine(),
        "results": {
            job: {name: r.record() for name, r in row.items()} for job, row in results.items()
        },
        "further": {title: dict(values) for title, values in (further or {}).items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """Processor, Python and the versions of those who race."""
    versions = {}
    for name in ("plait", "duckdb", "polars", "datafusion", "dask", "pandas", "pyarrow"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "versions": versions,
    }


def finish(
    race_name: str,
    settings: Mapping[str, Any],
    results: Results,
    path: Path | None,
    further: Columns | None = None,
) -> int:
    """Print the table, write the file; 1 if somebody of ours was wrong or failed."""
    print(table(results, further=further))
    if path is not None:
        write_json(path, race_name, settings, results, further)
        print(f"figures: {path}")
    ours = [row["plait"].status for row in results.values() if "plait" in row]
    return int(any(status != "ok" for status in ours))
