"""Larger than memory: plait and DuckDB under the same limit, each job in a fresh process.

    tpchgen-cli parquet -s 10 --output-dir data/tpch-sf10
    python -m benchmarks.spill --tpch data/tpch-sf10 --limit 2GB q1 q9 q18
    python -m benchmarks.spill --tpch data/tpch-sf10 --limit 1GB sort join groups
    python -m benchmarks.spill --trips data/taxi --limit 1GB taxi

    q1 ... q22  TPC-H (all of them: tpch)
    sort        lineitem by price and comment, to Parquet
    join        lineitem with orders, looking at text of both sides
    groups      lineitem by order and line: as many groups as rows
    taxi        tips by day and hour from CSV files

Shown are seconds, the most memory that was resident (VmHWM, with Python and all libraries) and the
most that lay in the spill folder. Answers are compared with DuckDB's, under the same limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

import plait
from benchmarks.taxi_csv import TIPS
from tests.assertions import assert_same_rows
from tests.tpch.data import TABLES, query

TPCH = [f"q{number}" for number in range(1, 23)]
SQL = {
    "sort": "select * from lineitem order by l_extendedprice, l_comment, l_orderkey, l_linenumber",
    "join": """
        select l_shipmode, count(*) as lines, sum(l_extendedprice) as price,
               sum(length(o_comment) + length(l_comment)) as text, max(o_clerk) as clerk
        from lineitem join orders on l_orderkey = o_orderkey
        group by l_shipmode order by l_shipmode
    """,
    "groups": """
        select count(*) as groups, sum(lines) as lines, max(quantity) as quantity
        from (select l_orderkey, l_linenumber, count(*) as lines, sum(l_quantity) as quantity
              from lineitem group by l_orderkey, l_linenumber)
    """,
    "taxi": TIPS,
}
SORTED = "sorted.parquet"
IN_ORDER = """
    select count(*) as rows, sum(l_orderkey) as keys, sum(length(l_comment)) as text,
           count(*) filter (l_extendedprice < before) as misplaced
    from (select *, lag(l_extendedprice) over (order by file_row_number) as before
          from read_parquet('{}', file_row_number = true))
"""


def text_of(job: str) -> str:
    """A job's SQL."""
    return query(int(job[1:])) if job in TPCH else SQL[job]


def tables(options: argparse.Namespace, job: str) -> dict[str, str]:
    """The files of a job, by table."""
    if job == "taxi":
        return {"trips": f"{options.trips}/*.csv"}
    return {name: f"{options.tpch}/{name}.parquet" for name in TABLES}


def run_plait(options: argparse.Namespace, job: str, scratch: str) -> pa.Table | None:
    """The answer, unless it was written to a file."""
    limit = None if options.limit == "none" else options.limit
    settings = {"threads": options.threads, "memory_limit": limit, "spill_directory": scratch}
    with plait.connect(**settings) as session:
        for name, path in tables(options, job).items():
            session.register(name, path)
        if job != "sort":
            return session.execute(text_of(job))
        session.sql(text_of(job)).to_parquet(f"{scratch}/{SORTED}")
        return None


def run_duckdb(options: argparse.Namespace, job: str, scratch: str) -> pa.Table | None:
    """The same."""
    settings: dict[str, Any] = {"threads": options.threads, "temp_directory": scratch}
    if options.limit != "none":
        settings["memory_limit"] = options.limit
    with duckdb.connect(config=settings) as connection:
        for name, path in tables(options, job).items():
            connection.execute(f"create view {name} as select * from '{path}'")
        if job != "sort":
            return connection.sql(text_of(job)).to_arrow_table()
        target = f"{scratch}/{SORTED}"
        connection.execute(f"copy ({text_of(job)}) to '{target}' (format parquet)")
        return None


CONTESTANTS = {"plait": run_plait, "duckdb": run_duckdb}


def run_here(options: argparse.Namespace) -> None:
    """One job in this process: its answer to a file, its figures to the output."""
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # VmHWM counts from here
    started = time.perf_counter()
    table = CONTESTANTS[options.inside](options, options.jobs[0], options.scratch)
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    if table is not None:
        with pa.ipc.new_file(f"{options.scratch}/answer.arrow", table.schema) as file:
            file.write_table(table)
    print(json.dumps({"seconds": seconds, "peak_mb": resident / 1024}))


def run_apart(options: argparse.Namespace, who: str, job: str) -> tuple[Any, dict[str, float]]:
    """One job in a process of its own: the answer (None if it failed) and its figures."""
    with tempfile.TemporaryDirectory(dir=options.disk, prefix="bench-spill-") as scratch:
        command = [sys.executable, "-m", "benchmarks.spill", *options.arguments, job]
        command += ["--inside", who, "--scratch", scratch]
        written = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            while process.poll() is None:
                time.sleep(0.2)
                written = max(written, size_of(Path(scratch)))
            assert process.stdout is not None
            output = process.stdout.read()
        if process.returncode:
            return None, {}
        figures = {**json.loads(output.splitlines()[-1]), "disk_mb": written / 1e6}
        if job == "sort":
            return duckdb.sql(IN_ORDER.format(f"{scratch}/{SORTED}")).to_arrow_table(), figures
        with pa.ipc.open_file(f"{scratch}/answer.arrow") as file:
            return file.read_all(), figures


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder, which may be going just now."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total


def line(job: str, who: str, limit: str, figures: dict[str, float], verdict: str) -> str:
    """A row of the table."""
    if not figures:
        return f"{job:7} {who:7} {limit:>6}  failed"
    return (
        f"{job:7} {who:7} {limit:>6} {figures['seconds']:8.2f} s {figures['peak_mb']:7.0f} MB "
        f"{figures['disk_mb']:8.0f} MB  {verdict}"
    )


def compare(options: argparse.Namespace) -> int:
    """All jobs by all; how many answers were wrong or missing."""
    wrong = 0
    print(
        f"{'job':7} {'who':7} {'limit':>6} {'time':>10} {'resident':>10} {'disk':>11}", flush=True
    )
    for job in options.jobs:
        expected, judged = run_apart(options, "duckdb", job)
        print(line(job, "duckdb", options.limit, judged, ""), flush=True)
        answer, figures = run_apart(options, "plait", job)
        verdict = "no answer to compare with"
        if answer is None:
            wrong += 1
        elif expected is not None:
            try:
                assert_same_rows(answer, expected)
                verdict = "same answer"
            except AssertionError as error:
                verdict, wrong = f"WRONG: {str(error)[:200]}", wrong + 1
        print(line(job, "plait", options.limit, figures, verdict), flush=True)
    return wrong


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("jobs", nargs="+", help="q1 ... q22, tpch, sort, join, groups, taxi")
    parser.add_argument("--tpch", default="data/tpch-sf10", help="folder of TPC-H Parquet files")
    parser.add_argument("--trips", default="data/taxi", help="folder of trips as CSV")
    parser.add_argument("--limit", default="2GB", help="memory_limit of both, or none")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--disk", default=None, help="where temporary files go")
    parser.add_argument("--inside", default="", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.arguments = [a for a in arguments if a not in options.jobs]
    options.jobs = [n for job in options.jobs for n in (TPCH if job == "tpch" else [job])]
    return options


def main() -> int:
    """Run."""
    options = parse(sys.argv[1:])
    if options.inside:
        run_here(options)
        return 0
    return compare(options)


if __name__ == "__main__":
    sys.exit(main())
