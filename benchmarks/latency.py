"""What a small query costs besides its work: plait, DuckDB, Polars; planning of the TPC-H queries.

    python -m benchmarks.latency --json data/bench/latency.json

A tiny query (filter, group, sort of three rows) goes from text to Arrow table and to pandas frame,
over and over, all contestants in turn. plait stands there twice: with its plan cache (`hit`) and
without (`miss`: every time parsed, bound, optimised and planned). DuckDB and Polars have no such
cache. Then the 22 TPC-H queries over tables in memory: how long planning takes with and without the
cache, and of what the query takes altogether. Medians, in milliseconds.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Result, Results, write_json
from tests.tpch.data import TABLES, query, tpch_folder

TINY = "select b, sum(a) as s from tiny where a > 0 group by b order by b"


def contestants(threads: int) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """By name: the tiny query as an Arrow table, and as a pandas frame."""
    import duckdb
    import polars
    import pyarrow as pa

    import plait  # here, so that --help needs no plait

    table = pa.table({"a": [1, 2, 3], "b": ["x", "y", "x"]})
    found: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {}
    for name, plans in (("plait hit", 128), ("plait miss", 0)):
        session = plait.connect("threads", threads=threads, plan_cache__plans=plans)
        session.register("tiny", table)
        found[name] = (
            lambda s=session: s.sql(TINY).to_arrow(),
            lambda s=session: s.sql(TINY).to_pandas(),
        )
    connection = duckdb.connect(config={"threads": threads})
    connection.register("tiny", table)
    found["duckdb"] = (
        lambda: connection.sql(TINY).to_arrow_table(),
        lambda: connection.sql(TINY).df(),
    )
    context = polars.SQLContext(tiny=polars.from_arrow(table), eager=True)
    found["polars"] = (
        lambda: context.execute(TINY).to_arrow(),
        lambda: context.execute(TINY).to_pandas(),
    )
    return found


def race(rounds: int, threads: int) -> Results:
    """The tiny query, by kind of result."""
    jobs = contestants(threads)
    results: Results = {
        f"tiny to {kind}": {name: Result() for name in jobs} for kind in ("arrow", "pandas")
    }
    gc.collect()
    for turn in range(rounds + 10):
        for name, functions in jobs.items():
            for function, kind in zip(functions, results.values(), strict=True):
                started = time.perf_counter()
                function()
                if turn >= 10:
                    kind[name].runs.append(time.perf_counter() - started)
    return results


def planning(numbers: list[int], scale: float, rounds: int, threads: int) -> Results:
    """For each TPC-H query: planning and all of it, with and without the cache."""
    import plait

    folder = tpch_folder(scale, "parquet")
    results: Results = {}
    for state, plans in (("hit", 128), ("miss", 0)):
        with plait.connect("threads", threads=threads, plan_cache__plans=plans) as session:
            tables = {n: session.read_parquet(folder / f"{n}.parquet").persist() for n in TABLES}
            for number in numbers:
                found = {name: Result() for name in (f"{state} planning", f"{state} total")}
                results.setdefault(f"q{number}", {}).update(found)
                planned, total = found.values()
                text = query(number)
                for turn in range(rounds + 2):
                    started = time.perf_counter()
                    plan = session.sql(text, tables)._frame.rows_only
                    bound = time.perf_counter() - started
                    _, report = session.runner.run(plan)
                    if turn >= 2:
                        total.runs.append(time.perf_counter() - started)
                        planned.runs.append(bound + report.planning)
    return results


def median(result: Result) -> float:
    """Milliseconds."""
    return 1000 * statistics.median(result.runs)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="measure the cost of small and repeated queries")
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=100, help="of the tiny query")
    parser.add_argument("--queries", type=int, nargs="*", default=list(range(1, 23)))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)

    results = race(options.rounds, options.threads)
    for job, found in results.items():
        best = min(median(found[name]) for name in ("duckdb", "polars"))
        print(job)
        for name, result in found.items():
            taken = median(result)
            print(f"  {name:12}{taken:8.2f} ms {taken / best:8.2f} of the faster peer")
    if options.queries:
        tpch = planning(options.queries, options.scale, 5, options.threads)
        columns = list(next(iter(tpch.values())))
        print(f"\n{'':6}" + "".join(f"{name:>15}" for name in columns))
        for job, found in tpch.items():
            print(f"{job:6}" + "".join(f"{median(found[name]):15.2f}" for name in columns))
        middle = [statistics.median(median(f[name]) for f in tpch.values()) for name in columns]
        print(f"{'median':6}" + "".join(f"{ms:15.2f}" for ms in middle))
        results |= tpch
    if options.json is not None:
        write_json(options.json, "latency", {"scale": options.scale}, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
