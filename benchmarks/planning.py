"""How long planning takes: from SQL text to the task graph, for each TPC-H query.

    python -m benchmarks.planning --json data/bench/planning.json

The tables are opened once, outside the time. Each level is timed as its own run from the text, so
a level's figure holds those before it. Exits with 1 when a query takes longer than `--limit`.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Result, Results, write_json
from tests.tpch.data import TABLES, query, tpch_folder

# What `explain` prints at each level is made by going that far and no further.
LEVELS = ("logical", "optimized", "stages", "tasks")


def plan(text: str, tables: dict[str, Any], level: str) -> None:
    """From text to a level; nothing is run."""
    import plait  # here, so that --help needs no plait

    plait.sql(text, tables=tables).explain(level)


def measure(number: int, tables: dict[str, Any], rounds: int) -> dict[str, Result]:
    """Best of some rounds for each level of one query."""
    text = query(number)
    results = {level: Result() for level in LEVELS}
    for turn in range(rounds + 1):
        for level, result in results.items():
            gc.collect()
            started = time.perf_counter()
            plan(text, tables, level)
            if turn:
                result.runs.append(time.perf_counter() - started)
    return results


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="measure planning")
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=30, help="milliseconds for one query")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)

    import plait

    folder = tpch_folder(options.scale, "parquet")
    tables = {name: plait.read_parquet(str(folder / f"{name}.parquet")) for name in TABLES}

    print("milliseconds from text to each level, best of", options.rounds)
    print(f"{'':6}" + "".join(f"{level:>12}" for level in LEVELS))
    results: Results = {}
    slow = []
    for number in range(1, 23):
        levels = measure(number, tables, options.rounds)
        best = [1000 * (levels[level].best or 0) for level in LEVELS]
        print(f"q{number:<5}" + "".join(f"{ms:12.1f}" for ms in best))
        # plait is the only contestant: compare.py sets these figures against an earlier file's.
        results |= {f"q{number} {level}": {"plait": r} for level, r in levels.items()}
        if best[-1] > options.limit:
            slow.append(f"q{number}")
    if options.json is not None:
        write_json(options.json, "planning", {"scale": options.scale}, results)
    if slow:
        print(f"over {options.limit:g} ms: {', '.join(slow)}")
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
