"""How the cost grows: TPC-H at several scale factors, and with one thread against several.

    python -m benchmarks.scaling --scales 0.1 1 10 --json data/bench/scaling.json
    python -m benchmarks.scaling --scales 0.1 1 --source memory --queries 1 3 6

Each scale factor is a race of its own between plait and DuckDB, and so is the one with a single
thread, at `--single` of the scale factors. Columns of seconds are headed by scale factor and
threads; `x` is what the step from the column before costs. From 1 to 10, more than 10 is more than
in proportion; less is fixed cost that is spread. From one thread to two, 2 would be all of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import tpch
from benchmarks.figures import Results, geometric_mean, notes, ratio, write_json
from benchmarks.race import add_arguments, chosen, plait_settings, race
from tests.tpch.data import tpch_folder


@dataclass(frozen=True)
class Setup:
    """One race."""

    scale: float
    threads: int

    def of(self, name: str) -> str:
        """A contestant in this race: the head of a column, the name in the file."""
        return f"{name} {self.scale:g}/{self.threads}"


def steps(results: Results, names: Sequence[str], setups: Sequence[Setup], shrinks: bool) -> str:
    """Seconds of each contestant in each setup, and the ratio of each to the one before."""
    width = max([len(job) for job in results] + [9])
    lines = [""] * (len(results) + 3)
    lines[0] = " " * width
    for number, title in enumerate([*results, "total", "mean"], 1):
        lines[number] = f"{title:{width}}"
    for name in names:
        before: list[float | None] | None = None
        for setup in setups:
            times = [row[setup.of(name)].best for row in results.values()]
            total = sum(t for t in times if t is not None)
            cells = [setup.of(name), *(_seconds(t) for t in times), _seconds(total), ""]
            _append(lines, cells, 15)
            if before is not None:
                both = list(zip(before, times, strict=True))
                grown = [ratio(a, b) if shrinks else ratio(b, a) for a, b in both]
                known = [(a, b) for a, b in both if a and b]
                first, last = sum(a for a, _ in known), sum(b for _, b in known)
                overall = ratio(first, last) if shrinks else ratio(last, first)
                cells = ["x", *map(_times, [*grown, overall, geometric_mean(grown)])]
                _append(lines, cells, 8)
            before = times
    return "\n".join(lines)


def _append(lines: list[str], cells: Sequence[str], width: int) -> None:
    for number, cell in enumerate(cells):
        lines[number] += f"{cell:>{width}}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="how the cost of TPC-H grows")
    parser.add_argument("--scales", type=float, nargs="+", default=[0.1, 1, 10])
    parser.add_argument("--single", type=float, default=1, help="scale factor for one thread")
    parser.add_argument("--source", choices=sorted(tpch.CONTESTANTS), default="parquet")
    parser.add_argument("--queries", type=int, nargs="*", default=range(1, 23))
    add_arguments(parser)
    options = parser.parse_args(arguments)
    contestants = chosen((tpch.DUCKDB, tpch.PLAIT), options.only)
    names = [c.name for c in contestants]
    common: dict[str, Any] = {
        "source": options.source,
        "keep": options.source == "memory",
        "plait": plait_settings(options.plait_config),
    }
    jobs = [f"q{n}" for n in options.queries]
    sizes = [Setup(scale, options.threads) for scale in sorted(options.scales)]
    threads = [Setup(options.single, 1), Setup(options.single, options.threads)]
    results: Results = {job: {} for job in jobs}
    for setup in dict.fromkeys([*sizes, *threads]):
        print(f"scale factor {setup.scale:g}, {setup.threads} threads", file=sys.stderr)
        folder = str(tpch_folder(setup.scale, "parquet"))
        settings = {**common, "folder": folder, "threads": setup.threads}
        found = race(jobs, contestants, settings, rounds=options.rounds, timeout=options.timeout)
        for job, row in found.items():
            results[job] |= {setup.of(name): result for name, result in row.items()}

    print(steps(results, names, sizes, shrinks=False), end="\n\n")
    if options.threads > 1:
        print(steps(results, names, threads, shrinks=True))
    print("\n".join(notes(results)))
    if options.json is not None:
        write_json(options.json, "scaling", common, results)
    ours = [r.status for row in results.values() for n, r in row.items() if n.startswith("plait")]
    return int(any(status != "ok" for status in ours))


if __name__ == "__main__":
    sys.exit(main())
