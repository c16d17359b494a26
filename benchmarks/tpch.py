"""TPC-H on Parquet or in memory: plait, DuckDB, Polars, DataFusion, Dask.

    python -m benchmarks.tpch --scale 1 --json data/bench/tpch.json
    python -m benchmarks.tpch --scale 1 --source memory
    python -m benchmarks.tpch --scale 1 --source cluster
    python -m benchmarks.tpch --scale 1 --operators

plait, DuckDB, Polars and DataFusion run the same SQL text (for Polars, date arithmetic on literals
is done beforehand, which its SQL does not know). Dask has no SQL: it runs dataframe code, for the
queries that are written in benchmarks/dask_tpch.py.

In memory, the tables are persisted frames of plait, native tables of DuckDB and DataFrames of
Polars. They are made once, and the session with them serves all runs; `--keep` does the same for
Parquet, to see what is won by what plait keeps between two queries (decoded columns too, which
otherwise are not kept).

On clusters of as many processes, plait's and Dask's run beside plait's threads, all held open.

Three columns are of plait alone. `first` is the first run of the query in a process that has
loaded plait but seen no query, and whose cache folder is empty; `again` the same in a next process
that finds that cache folder. `scan` is the share of scans in the work of all threads: for Parquet
that is decoding by pyarrow.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks import operators
from benchmarks.figures import finish
from benchmarks.race import (
    Answer,
    Contestant,
    Settings,
    SkipJobError,
    add_arguments,
    answers,
    chosen,
    once,
    plait_settings,
    race,
)
from tests.tpch.data import TABLES, query, tpch_folder


def plait_tables(settings: Settings) -> dict[str, Any]:
    """plait's frames, by name."""
    import plait  # in the contestant's own process only, here and below

    frames = {t: plait.read_parquet(_path(settings, t)) for t in _tables(settings)}
    if settings["source"] == "memory":
        return {name: frame.persist() for name, frame in frames.items()}
    return frames


def open_plait(settings: Settings) -> Answer:
    import plait

    tables = plait_tables(settings)
    plait.sql("select 42").to_arrow()  # the loading of modules is no query's time
    return lambda job: plait.sql(_text(job), tables=tables).to_arrow()


def open_operators(settings: Settings) -> Answer:
    import plait

    tables = plait_tables(settings)
    return lambda job: operators.measured(plait.sql(_text(job), tables=tables))


def open_duckdb(settings: Settings) -> Answer:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {settings['threads']}")
    connection.execute("set enable_progress_bar = false")
    kind = "table" if settings["source"] == "memory" else "view"
    for table in _tables(settings):
        connection.execute(f"create {kind} {table} as from '{_path(settings, table)}'")
    return lambda job: connection.sql(_text(job)).to_arrow_table()


def open_polars(settings: Settings) -> Answer:
    import polars as pl

    read = pl.read_parquet if settings["source"] == "memory" else pl.scan_parquet
    context = pl.SQLContext({t: read(_path(settings, t)) for t in _tables(settings)})

    def answer(job: str) -> pa.Table:
        try:
            frame = context.execute(fold_dates(_text(job)))
        except (pl.exceptions.SQLSyntaxError, pl.exceptions.SQLInterfaceError) as error:
            raise SkipJobError(f"not in Polars' SQL: {error}") from error
        return frame.collect(engine="streaming").to_arrow()

    return answer


def open_datafusion(settings: Settings) -> Answer:
    from datafusion import SessionConfig, SessionContext

    context = SessionContext(SessionConfig().with_target_partitions(settings["threads"]))
    for table in _tables(settings):
        context.register_parquet(table, _path(settings, table))
    return lambda job: context.sql(_text(job)).to_arrow_table()


def open_dask(settings: Settings) -> Answer:
    from benchmarks.dask_tpch import QUERIES, Tables

    def answer(job: str) -> pa.Table:
        if job not in QUERIES:
            raise SkipJobError("not written for Dask")
        tables = Tables(Path(settings["folder"]))
        return tables.compute(QUERIES[job](tables), threads=settings["threads"])

    return answer


def open_plait_cluster(settings: Settings) -> Answer:
    import plait

    session = plait.connect(plait.LocalCluster(settings["threads"]))
    tables = {t: session.read_parquet(_path(settings, t)) for t in _tables(settings)}
    session.sql("select 42").to_arrow()
    return lambda job: session.sql(_text(job), tables=tables).to_arrow()


def open_dask_cluster(settings: Settings) -> Answer:
    from distributed import Client, LocalCluster

    from benchmarks.dask_tpch import QUERIES, Tables

    count = settings["threads"]
    # what the race starts may not start processes of its own, unless it forgets what it is
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    cluster = LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=":0")
    client = Client(cluster)

    def answer(job: str) -> pa.Table:
        if job not in QUERIES:
            raise SkipJobError("not written for Dask")
        tables = Tables(Path(settings["folder"]))
        return tables.compute(QUERIES[job](tables), threads=count, scheduler=client)

    return answer


def _path(settings: Settings, table: str) -> str:
    return str(Path(settings["folder"]) / f"{table}.parquet")


def _tables(settings: Settings) -> Sequence[str]:
    return settings.get("tables", TABLES)


def _text(job: str) -> str:
    return query(int(job.removeprefix("q")))


ARITHMETIC = re.compile(r"date '(\d+-\d+-\d+)' ([-+]) interval '(\d+)' (day|month|year)")


def fold_dates(text: str) -> str:
    """`date '1994-01-01' + interval '1' year` as `date '1995-01-01'`."""

    def folded(match: re.Match[str]) -> str:
        start, sign, count, unit = match.groups()
        amount = int(count) * (-1 if sign == "-" else 1)
        day = date.fromisoformat(start)
        if unit == "day":
            day = date.fromordinal(day.toordinal() + amount)
        else:
            months = day.year * 12 + day.month - 1 + amount * (12 if unit == "year" else 1)
            day = day.replace(year=months // 12, month=months % 12 + 1)
        return f"date '{day}'"

    return ARITHMETIC.sub(folded, text)


# DataFusion's averages of decimals are decimals, of four more digits.
DATAFUSION = Contestant("datafusion", open_datafusion, rel=1e-6)
PLAIT = Contestant("plait", open_plait)
DUCKDB = Contestant("duckdb", open_duckdb)
POLARS = Contestant("polars", open_polars)
CONTESTANTS = {
    "parquet": (
        DUCKDB,
        PLAIT,
        POLARS,
        DATAFUSION,
        Contestant("dask", open_dask),
    ),
    "memory": (DUCKDB, PLAIT, POLARS),
    "cluster": (
        PLAIT,
        Contestant("cluster", open_plait_cluster),
        Contestant("dask", open_dask_cluster),
    ),
}


def first_runs(
    jobs: Sequence[str], settings: Settings, timeout: float
) -> dict[str, dict[str, float]]:
    """Seconds of plait's first run of each job: with an empty cache folder, then with a filled one.

    The process opens only those tables that the query names.
    """
    columns: dict[str, dict[str, float]] = {"first": {}, "again": {}}
    before = os.environ.get("XDG_CACHE_HOME")
    for job in jobs:
        words = set(re.findall(r"\w+", _text(job)))
        alone = {**settings, "tables": [t for t in TABLES if t in words]}
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            for column in columns.values():
                seconds = once(job, PLAIT, alone, timeout).best
                if seconds is not None:
                    column[job] = seconds
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before
    return columns


def by_operator(
    jobs: Sequence[str], settings: Settings, timeout: float
) -> Iterator[tuple[str, operators.Seconds]]:
    """Where plait's time goes, for each job."""
    for job, answer in answers(jobs, Contestant("plait", open_operators), settings, timeout):
        yield job, operators.seconds_by_operator(answer)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="race TPC-H")
    parser.add_argument("--scale", type=float, default=1.0, help="scale factor")
    parser.add_argument("--folder", type=Path, help="of the Parquet files; generated if not given")
    parser.add_argument("--source", choices=sorted(CONTESTANTS), default="parquet")
    parser.add_argument("--queries", type=int, nargs="*", default=range(1, 23))
    parser.add_argument("--keep", action="store_true", help="one session for all runs")
    parser.add_argument("--first", action="store_true", help="time first runs too")
    parser.add_argument("--operators", action="store_true", help="no race: where plait's time goes")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    settings: dict[str, Any] = {
        "folder": str(options.folder or tpch_folder(options.scale, "parquet")),
        "scale": options.scale,
        "source": options.source,
        "threads": options.threads,
        "keep": options.keep or options.source != "parquet",
        "plait": plait_settings(options.plait_config, options.keep or options.source == "cluster"),
    }
    jobs = [f"q{n}" for n in options.queries]
    if options.operators:
        for job, seconds in by_operator(jobs, settings, options.timeout):
            print(operators.line(job, seconds), flush=True)
        return 0
    results = race(
        jobs,
        chosen(CONTESTANTS[options.source], options.only),
        settings,
        rounds=options.rounds,
        timeout=options.timeout,
    )
    further = first_runs(jobs, settings, options.timeout) if options.first else {}
    measured = by_operator(jobs, settings, options.timeout)
    further["scan"] = {job: operators.share(seconds, "ScanSplits") for job, seconds in measured}
    return finish("tpch", settings, results, options.json, further)


if __name__ == "__main__":
    sys.exit(main())
