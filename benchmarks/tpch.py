"""TPC-H on Parquet: plait, DuckDB, Polars, Dask.

    python -m benchmarks.tpch --scale 1 --json data/bench/tpch.json

plait, DuckDB and Polars run the same SQL text (for Polars, date arithmetic on literals is done
beforehand, which its SQL does not know). Dask has no SQL: it runs dataframe code, for the queries
that are written in benchmarks/dask_tpch.py.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.race import (
    Answer,
    Contestant,
    Settings,
    SkipJobError,
    add_arguments,
    chosen,
    finish,
    race,
)
from tests.tpch.data import TABLES, query, tpch_folder


def open_plait(settings: Settings) -> Answer:
    import plait  # in the contestant's own process only, here and below

    folder = Path(settings["folder"])
    tables = {t: plait.read_parquet(str(folder / f"{t}.parquet")) for t in TABLES}
    return lambda job: plait.sql(_text(job), tables=tables).to_arrow()


def open_duckdb(settings: Settings) -> Answer:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {settings['threads']}")
    for table in TABLES:
        path = Path(settings["folder"]) / f"{table}.parquet"
        connection.execute(f"create view {table} as from '{path}'")
    return lambda job: connection.sql(_text(job)).to_arrow_table()


def open_polars(settings: Settings) -> Answer:
    import polars as pl

    folder = Path(settings["folder"])
    context = pl.SQLContext({t: pl.scan_parquet(folder / f"{t}.parquet") for t in TABLES})

    def answer(job: str) -> pa.Table:
        try:
            frame = context.execute(fold_dates(_text(job)))
        except (pl.exceptions.SQLSyntaxError, pl.exceptions.SQLInterfaceError) as error:
            raise SkipJobError(f"not in Polars' SQL: {error}") from error
        return frame.collect(engine="streaming").to_arrow()

    return answer


def open_dask(settings: Settings) -> Answer:
    from benchmarks.dask_tpch import QUERIES, Tables

    def answer(job: str) -> pa.Table:
        if job not in QUERIES:
            raise SkipJobError("not written for Dask")
        tables = Tables(Path(settings["folder"]))
        return tables.compute(QUERIES[job](tables), threads=settings["threads"])

    return answer


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


CONTESTANTS = (
    Contestant("duckdb", open_duckdb),
    Contestant("plait", open_plait),
    Contestant("polars", open_polars),
    Contestant("dask", open_dask),
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="race TPC-H")
    parser.add_argument("--scale", type=float, default=1.0, help="scale factor")
    parser.add_argument("--queries", type=int, nargs="*", default=range(1, 23))
    add_arguments(parser)
    options = parser.parse_args(arguments)
    settings: dict[str, Any] = {
        "folder": str(tpch_folder(options.scale, "parquet")),
        "scale": options.scale,
        "threads": options.threads,
    }
    results = race(
        [f"q{n}" for n in options.queries],
        chosen(CONTESTANTS, options.only),
        settings,
        rounds=options.rounds,
        timeout=options.timeout,
    )
    return finish("tpch", settings, results, options.json)


if __name__ == "__main__":
    sys.exit(main())
