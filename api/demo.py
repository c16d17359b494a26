"""`plait demo`: a year of taxi trips, analysed as dataframe calls and as SQL.

How much do passengers tip, by day of week and hour? Free rides are dropped, the tip fraction is
tip / fare, and its mean is taken by day and hour. The question is asked twice, in the two languages
of plait, and the demo insists that both gave the same plan and the same rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

import plait
from plait.dataframe import DataFrame
from plait.demo_data import Trips, generate
from plait.errors import ComputeError
from plait.planner.canonical import same_plan
from plait.scheduler.progress import bar, clock_time, find_display

QUERY = """
select
    isodow(tpep_pickup_datetime) - 1 as day,
    hour(tpep_pickup_datetime) as hour,
    avg(tip_amount / fare_amount) as tip_fraction
from trips
where fare_amount > 0 and tpep_pickup_datetime is not null
group by day, hour
order by day, hour
"""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BAR_WIDTH = 24
EIGHTHS = " ▏▎▍▌▋▊▉█"


def open_trips(paths: tuple[Path, ...]) -> DataFrame:
    """The trips of several CSV files as one frame; reads the first block only."""
    return plait.read_csv([str(path) for path in paths], parse_dates=["tpep_pickup_datetime"])


def tips_as_dataframe(trips: DataFrame) -> DataFrame:
    """Mean tip fraction by day and hour, in dataframe calls."""
    trips = trips[trips.fare_amount > 0]
    trips["tip_fraction"] = trips.tip_amount / trips.fare_amount
    day = trips.tpep_pickup_datetime.dt.dayofweek.rename("day")
    hour = trips.tpep_pickup_datetime.dt.hour.rename("hour")
    means: DataFrame = trips.groupby([day, hour]).tip_fraction.mean().reset_index()
    return means


def tips_as_sql(trips: DataFrame) -> DataFrame:
    """Mean tip fraction by day and hour, in SQL."""
    return plait.sql(QUERY, tables={"trips": trips})


@dataclass(frozen=True)
class Timed:
    """An answer and the seconds it took."""

    rows: pd.DataFrame
    seconds: float


def run_demo(
    folder: Path,
    size_gb: float = 1.0,
    *,
    seed: int = 2015,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> pd.DataFrame:
    """Generate the trips, analyse them in both languages, print what came out; returns the table.

    Raises ComputeError when dataframe and SQL disagree, in plan or in rows.
    """
    out, err = out or sys.stdout, err or sys.stderr

    def say(text: str = "") -> None:
        print(text, file=out, flush=True)

    files = _generate(folder, size_gb, seed, err)
    say(
        f"{files.rows:,} trips in {len(files.paths)} CSV files, {files.size / 1e9:.2f} GB: {folder}"
    )

    trips = open_trips(files.paths)
    by_calls, by_sql = tips_as_dataframe(trips), tips_as_sql(trips)
    if not same_plan(by_calls.optimized_plan(), by_sql.optimized_plan()):
        raise ComputeError(
            "The dataframe calls and the SQL text gave different plans:\n"
            f"{by_calls.explain('optimized')}\n{by_sql.explain('optimized')}"
        )
    say("\nThe plan, the same for the dataframe calls and for the SQL text:\n")
    say(_indent(by_sql.explain("optimized")))

    calls, sql = _timed(by_calls.compute), _timed(by_sql.compute)
    check_same(calls.rows, sql.rows)

    say("\nMean tip, % of the fare, by hour and day of the week:\n")
    say(tip_table(sql.rows, plain=not _speaks_unicode(out)))
    say("\nBoth languages gave the same rows.")
    for name, run in (("dataframe calls", calls), ("SQL", sql)):
        say(f"  {name:15}  {run.seconds:6.2f} s   {_speed(files, run.seconds)}")
    say("\nWhere the time went:\n")
    say(_indent(by_sql.explain(analyze=True)))
    return sql.rows


def check_same(calls: pd.DataFrame, sql: pd.DataFrame) -> None:
    """Raise ComputeError unless both tables hold the same rows, to the last bit."""
    if list(calls.columns) != list(sql.columns) or len(calls) != len(sql):
        raise ComputeError(
            f"Dataframe calls gave {len(calls)} rows of {list(calls.columns)}, "
            f"SQL {len(sql)} rows of {list(sql.columns)}."
        )
    differ = (calls.to_numpy() != sql.to_numpy()).any(axis=1)
    if differ.any():
        raise ComputeError(
            f"{differ.sum()} rows differ between dataframe calls and SQL:\n"
            f"{calls[differ].head()}\n{sql[differ].head()}"
        )


def tip_table(tips: pd.DataFrame, *, plain: bool = False) -> str:
    """The tips in percent, an hour a line and a day a column, with a bar for the hour's mean."""
    grid = 100 * tips.pivot(index="hour", columns="day", values="tip_fraction")
    cells = grid.to_numpy()
    means = np.nanmean(cells, axis=1)
    lines = ["hour  " + "".join(f"{DAYS[int(day)]:>6}" for day in grid.columns) + "   mean"]
    for hour, row, mean in zip(grid.index, cells, means, strict=True):
        days = "".join("     -" if np.isnan(value) else f"{value:6.1f}" for value in row)
        lines.append(f"{hour:4}  {days} {mean:6.1f}  {_bar(mean / means.max(), plain)}")
    return "\n".join(lines)


def _bar(share: float, plain: bool) -> str:
    if plain:
        return "#" * round(share * BAR_WIDTH)
    full, rest = divmod(round(share * BAR_WIDTH * 8), 8)
    return (EIGHTHS[8] * full + EIGHTHS[rest]).rstrip()


def _generate(folder: Path, size_gb: float, seed: int, err: TextIO) -> Trips:
    display = find_display(err)
    started = time.perf_counter()

    def show(done: int, total: int) -> None:
        if display is not None:
            display.show(progress_line(done, total, time.perf_counter() - started))

    files = generate(folder, size_gb, seed=seed, progress=show)
    if display is not None:
        display.erase()
    if files.generated:
        seconds = time.perf_counter() - started
        print(f"generated {files.generated} files in {seconds:.1f} s", file=err, flush=True)
    return files


def progress_line(done: int, total: int, seconds: float) -> str:
    """How much of the trips is written, and how long the rest will take."""
    share = done / total if total else 1.0
    left = f"  ~{clock_time(seconds / share - seconds)} left" if share else ""
    return f"generating trips {bar(share)}{left}"


def _timed(compute: Callable[[], pd.DataFrame]) -> Timed:
    started = time.perf_counter()
    rows = compute()
    return Timed(rows, time.perf_counter() - started)


def _speed(files: Trips, seconds: float) -> str:
    per_second = files.rows / seconds / 1e6
    return f"{per_second:6.2f} million rows/s   {files.size / seconds / 1e6:6.0f} MB/s"


def _speaks_unicode(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
