"""The taxi job over CSV: plait, DuckDB, Polars, pandas.

    python -m benchmarks.taxi_csv --size 1 --json data/bench/taxi_csv.json

Three jobs on the files of `plait demo`:

    tips     3 of 19 columns: drop free rides, mean tip fraction by day of week and hour
    columns  the mean of each of the 13 numeric columns that are no key: everything is parsed
    count    the number of rows

Everybody runs in the fastest way that was found for it: DuckDB is told the types (detecting them in
twelve files takes it longer than the job), Polars the format of the timestamp.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.figures import finish
from benchmarks.race import (
    Answer,
    Contestant,
    Results,
    Settings,
    add_arguments,
    chosen,
    race,
)
from plait.demo_data import COLUMNS, generate

PICKUP = "tpep_pickup_datetime"
TIMESTAMPS = (PICKUP, "tpep_dropoff_datetime")
NUMBERS = [
    "trip_distance",
    "pickup_longitude",
    "pickup_latitude",
    "dropoff_longitude",
    "dropoff_latitude",
    *COLUMNS[COLUMNS.index("payment_type") :],
]

TIPS = f"""
    select isodow({PICKUP}) - 1 as day, hour({PICKUP}) as hour,
           avg(tip_amount / fare_amount) as tip_fraction
    from trips where fare_amount > 0 group by day, hour order by day, hour
"""
SQL = {
    "tips": TIPS,
    "columns": f"select {', '.join(f'avg({name}) as {name}' for name in NUMBERS)} from trips",
    "count": "select count(*) as trips from trips",
}


def open_plait(settings: Settings) -> Answer:
    import plait  # in the contestant's own process only, here and below

    def answer(job: str) -> pa.Table:
        trips = plait.read_csv(settings["paths"], parse_dates=[PICKUP])
        return plait.sql(SQL[job], tables={"trips": trips}).to_arrow()

    return answer


def open_duckdb(settings: Settings) -> Answer:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {settings['threads']}")

    types = dict.fromkeys(COLUMNS, "double") | dict.fromkeys(TIMESTAMPS, "timestamp")
    types |= {"store_and_fwd_flag": "varchar"}
    source = f"read_csv({settings['paths']}, columns = {types}, header = true, auto_detect = false)"

    def answer(job: str) -> pa.Table:
        return connection.sql(SQL[job].replace("from trips", f"from {source}")).to_arrow_table()

    return answer


def open_polars(settings: Settings) -> Answer:
    import polars as pl

    def answer(job: str) -> pa.Table:
        trips = pl.scan_csv(settings["paths"])
        if job == "tips":
            lazy = (
                trips.with_columns(pl.col(PICKUP).str.to_datetime("%Y-%m-%d %H:%M:%S"))
                .filter(pl.col("fare_amount") > 0)
                .group_by(
                    (pl.col(PICKUP).dt.weekday() - 1).cast(pl.Int64).alias("day"),
                    pl.col(PICKUP).dt.hour().cast(pl.Int64).alias("hour"),
                )
                .agg((pl.col("tip_amount") / pl.col("fare_amount")).mean())
            )
        elif job == "columns":
            lazy = trips.select(pl.col(NUMBERS).mean())
        else:
            lazy = trips.select(pl.len())
        return lazy.collect(engine="streaming").to_arrow()

    return answer


def open_pandas(settings: Settings) -> Answer:
    import pandas as pd

    def read(columns: list[str]) -> pd.DataFrame:
        # pandas' fastest reader, and only what is needed: by file, to hold one at a time as text.
        return pd.concat(
            pd.read_csv(path, usecols=columns, engine="pyarrow") for path in settings["paths"]
        )

    def answer(job: str) -> pa.Table:
        if job == "tips":
            trips = read([PICKUP, "fare_amount", "tip_amount"])
            trips = trips[trips.fare_amount > 0]
            fraction = trips.tip_amount / trips.fare_amount
            days = [trips[PICKUP].dt.dayofweek.rename("day"), trips[PICKUP].dt.hour.rename("hour")]
            means = fraction.groupby(days).mean().rename("tip_fraction").reset_index()
        elif job == "columns":
            means = read(NUMBERS).mean().to_frame().T
        else:
            means = pd.DataFrame({"trips": [len(read(["VendorID"]))]})
        return pa.Table.from_pandas(means, preserve_index=False)

    return answer


CONTESTANTS = (
    Contestant("duckdb", open_duckdb),
    Contestant("plait", open_plait),
    Contestant("polars", open_polars),
    Contestant("pandas", open_pandas),
)


def rates(results: Results, rows: int, size: int) -> str:
    """Rows and bytes a second of everybody's best run."""
    lines = []
    for job, row in results.items():
        for name, result in row.items():
            if result.best is not None:
                speed = rows / result.best / 1e6, size / result.best / 1e6
                lines.append(
                    f"{job:8} {name:8} {speed[0]:7.2f} million rows/s {speed[1]:7.0f} MB/s"
                    f"   peak {result.peak_mb:6.0f} MB"
                )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="race the taxi job over CSV")
    parser.add_argument("--size", type=float, default=1.0, help="gigabytes of CSV")
    parser.add_argument("--folder", type=Path, help="of the files; data/demo, as `make demo`")
    parser.add_argument("--jobs", nargs="*", default=list(SQL), choices=list(SQL))
    add_arguments(parser)
    options = parser.parse_args(arguments)
    root = Path(__file__).resolve().parents[1]
    files = generate(options.folder or root / "data" / "demo", options.size)
    settings: dict[str, Any] = {
        "paths": [str(path) for path in files.paths],
        "rows": files.rows,
        "bytes": files.size,
        "threads": options.threads,
    }
    results = race(
        options.jobs,
        chosen(CONTESTANTS, options.only),
        settings,
        rounds=options.rounds,
        timeout=options.timeout,
    )
    print(rates(results, files.rows, files.size), end="\n\n")
    return finish("taxi_csv", settings, results, options.json)


if __name__ == "__main__":
    sys.exit(main())
