"""What the column cache is worth: TPC-H from Parquet, each query twice, with the cache and without.

    python -m benchmarks.column_cache --scale 1

For every query a line of seconds (wall and CPU) of its first and second run with the cache, and of
its second run without, and how many columns were found in the cache and not. The cache is emptied
before each query. Answers of all runs are compared.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

import plait
from plait.io.column_cache import cache
from tests.tpch.data import TABLES, query, tpch_folder


def seconds() -> tuple[float, float]:
    """Wall and CPU time so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def timed(session: plait.Session, folder: Path, text: str) -> tuple[pa.Table, float, float]:
    """The answer to a query, and its wall and CPU seconds."""
    wall, cpu = seconds()
    tables = {t: session.read_parquet(str(folder / f"{t}.parquet")) for t in TABLES}
    answer = session.sql(text, tables=tables).to_arrow()
    wall_after, cpu_after = seconds()
    return answer, wall_after - wall, cpu_after - cpu


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="TPC-H with and without the column cache")
    parser.add_argument("--scale", type=float, default=1.0, help="scale factor")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--queries", type=int, nargs="*", default=range(1, 23))
    parser.add_argument("--bytes", default="auto", help="column_cache.bytes")
    options = parser.parse_args(arguments)
    folder = tpch_folder(options.scale, "parquet")
    on = plait.connect(threads=options.threads, column_cache__bytes=options.bytes)
    off = plait.connect(threads=options.threads, column_cache__bytes=0)
    print("query |  first (cpu)     second (cpu)    off (cpu)       |  hits  misses      MB")
    totals = [0.0] * 6
    with on, off:
        for number in options.queries:
            text = query(number)
            cache.shrink(0)
            timed(off, folder, text)
            hits, misses = cache.hits, cache.misses
            runs = [timed(s, folder, text) for s in (on, on, off)]
            if not all(answer.equals(runs[0][0]) for answer, _, _ in runs[1:]):
                print(f"q{number}: the answers differ")
                return 1
            figures = [figure for _, *times in runs for figure in times]
            totals = [a + b for a, b in zip(totals, figures, strict=True)]
            hits, misses = cache.hits - hits, cache.misses - misses
            print(f"q{number:<4} | {_line(figures)} | {hits:5} {misses:6} {cache.bytes / 1e6:9.1f}")
    print(f"total | {_line(totals)} |")
    return 0


def _line(figures: Sequence[float]) -> str:
    pairs = zip(figures[::2], figures[1::2], strict=True)
    return "  ".join(f"{wall:6.3f} ({cpu:6.3f})" for wall, cpu in pairs)


if __name__ == "__main__":
    sys.exit(main())
