"""A year of taxi-like trips as twelve CSV files, for `plait demo` and for benchmarks.

The columns are those of New York's yellow cabs in 2015. The rows are made up: from a seed, so that
everybody who generates a size gets the same bytes, however many threads write them. What a year of
trips looks like is kept: demand by hour and weekday, fares by distance and time, tips by card only
and more generous before dawn, and the dirt of the real files (free rides, refunds, lost GPS).

    trips/yellow_tripdata_2015-01.csv ... -12.csv
    trips/manifest.json                 settings, and the files that are finished

A file is written under another name and renamed when it is whole; the manifest is renamed after
it. A run that is stopped leaves no half file, and the next run goes on with the missing months.
"""

from __future__ import annotations

import calendar
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from plait.errors import WriteError

YEAR = 2015
FORMAT = 1  # raised when the same settings come to give other bytes
MANIFEST = "manifest.json"

# Measured: mean length of a line, so that a size in bytes becomes a number of rows.
BYTES_PER_ROW = 153.05

# Rows made at a time: some 100 MB of arrays for each thread.
CHUNK_ROWS = 200_000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

COLUMNS = (
    "VendorID",
    "tpep_pickup_datetime",
    "tpep_dropoff_datetime",
    "passenger_count",
    "trip_distance",
    "pickup_longitude",
    "pickup_latitude",
    "RateCodeID",
    "store_and_fwd_flag",
    "dropoff_longitude",
    "dropoff_latitude",
    "payment_type",
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "improvement_surcharge",
    "total_amount",
)

CARD, CASH, NO_CHARGE, DISPUTE = 1, 2, 3, 4
STANDARD_RATE, AIRPORT_RATE = 1, 2
AIRPORT_FARE = 52.0

# Share of a day's pickups by hour, on workdays and on weekends (they need not add up to one).
WORKDAY = (
    22,
    14,
    9,
    6,
    6,
    9,
    21,
    37,
    46,
    47,
    45,
    47,
    50,
    49,
    51,
    48,
    41,
    50,
    62,
    64,
    60,
    59,
    56,
    42,
)
WEEKEND = (
    54,
    48,
    39,
    29,
    18,
    8,
    9,
    13,
    21,
    31,
    39,
    45,
    50,
    50,
    50,
    50,
    46,
    49,
    56,
    56,
    49,
    48,
    51,
    53,
)

# Pickups of a day of the week, Monday first.
DAY_DEMAND = (0.92, 0.97, 1.0, 1.04, 1.07, 1.09, 0.94)

# Miles per hour in the streets, by hour.
SPEED = (
    16,
    17,
    18,
    20,
    22,
    21,
    17,
    13,
    11,
    11,
    11,
    11,
    11,
    11,
    11,
    11,
    11,
    11,
    11,
    12,
    13,
    14,
    14,
    15,
)

# What the payer of a card tips, as a multiple of the usual: people coming home at 4 a.m. give more.
GENEROSITY = (
    *(1.04, 1.10, 1.22, 1.42, 1.62, 1.38, 1.04, 0.97, 0.99, 0.98, 0.96, 0.95),
    *(0.94, 0.93, 0.93, 0.94, 0.98, 1.02, 1.05, 1.05, 1.05, 1.06, 1.06, 1.05),
)

# ... and after a night out still more.
WEEKEND_NIGHT = 1.12
SATURDAY = 5


@dataclass(frozen=True)
class Settings:
    """What decides every byte of the files."""

    size_gb: float
    seed: int
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return max(12, round(self.size_gb * 1e9 / BYTES_PER_ROW))


@dataclass(frozen=True)
class Trips:
    """Generated files."""

    paths: tuple[Path, ...]
    rows: int
    size: int  # bytes
    generated: int  # how many files this call had to write


def generate(
    folder: Path,
    size_gb: float = 1.0,
    *,
    seed: int = 2015,
    threads: int = 2,
    progress: Progress | None = None,
) -> Trips:
    """Make sure that a folder holds a year of trips of about `size_gb` GB (10**9 bytes).

    Files of an earlier run with the same size and seed are kept; those of another are replaced.
    `progress` is called with rows written and rows to write, from the calling thread.
    Raises WriteError when the disk has no room for the files.
    """
    if not (size_gb > 0 and math.isfinite(size_gb)):
        raise ValueError(f"size_gb must be a positive number of gigabytes, not {size_gb!r}")
    settings = Settings(size_gb, seed)
    folder.mkdir(parents=True, exist_ok=True)
    counts = _rows_by_month(settings)
    finished = _finished(folder, settings)
    missing = [month for month in counts if _name(month) not in finished]
    if missing:
        _check_room(folder, sum(counts[month] for month in missing) * BYTES_PER_ROW)
        for unfinished in folder.glob(".yellow_tripdata_*.unfinished"):
            unfinished.unlink()
        rows = {month: counts[month] for month in missing}
        _write_months(folder, settings, rows, finished, threads, progress)
    paths = tuple(folder / _name(month) for month in counts)
    return Trips(paths, settings.rows, sum(finished.values()), len(missing))


def _name(month: int) -> str:
    return f"yellow_tripdata_{YEAR}-{month:02}.csv"


def _rows_by_month(settings: Settings) -> dict[int, int]:
    days = [calendar.monthrange(YEAR, month)[1] for month in range(1, 13)]
    ends = [round(settings.rows * sum(days[:i]) / sum(days)) for i in range(13)]
    return {month: ends[month] - ends[month - 1] for month in range(1, 13)}


def _finished(folder: Path, settings: Settings) -> dict[str, int]:
    """Names and sizes of the files that an earlier run with the same settings finished."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["settings"] != asdict(settings):
            return {}
        files = dict(manifest["files"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}  # no manifest, or none of ours: the files are written again
    return {
        name: size
        for name, size in files.items()
        if (folder / name).exists() and (folder / name).stat().st_size == size
    }


def _check_room(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise WriteError(
            f"The trips need {needed / 1e9:.2f} GB, but {folder} has only {free / 1e9:.2f} GB. "
            "Generate a smaller size, or choose another folder."
        )


def _write_months(
    folder: Path,
    settings: Settings,
    rows: dict[int, int],
    finished: dict[str, int],
    threads: int,
    progress: Progress | None,
) -> None:
    """Write the months' files, adding each to `finished` and to the manifest once it is whole."""
    written = dict.fromkeys(rows, 0)
    stopped = False

    def write(month: int) -> int:
        path = folder / _name(month)
        unfinished = folder / f".{path.name}.unfinished"
        with unfinished.open("wb") as file:
            file.write((",".join(COLUMNS) + "\n").encode())
            for chunk in _chunks(settings, month, rows[month]):
                if stopped:
                    return 0
                pa.csv.write_csv(chunk, file, _WRITE)
                written[month] += chunk.num_rows
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        return path.stat().st_size

    total = sum(rows.values())
    with ThreadPoolExecutor(threads) as pool:
        running: dict[Future[int], int] = {pool.submit(write, month): month for month in rows}
        try:
            while running:
                done, _ = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
                for future in done:
                    finished[_name(running.pop(future))] = future.result()
                    _write_manifest(folder, settings, finished)
                if progress is not None:
                    progress(sum(written.values()), total)
        except BaseException:  # Ctrl-C too: let the threads end, and leave what is whole
            stopped = True
            pool.shutdown(wait=True, cancel_futures=True)
            raise


_WRITE = pa.csv.WriteOptions(include_header=False, quoting_style="none")


def _write_manifest(folder: Path, settings: Settings, finished: dict[str, int]) -> None:
    content = {"settings": asdict(settings), "files": dict(sorted(finished.items()))}
    unfinished = folder / f".{MANIFEST}.unfinished"
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(unfinished, folder / MANIFEST)


def _chunks(settings: Settings, month: int, rows: int) -> Iterator[pa.RecordBatch]:
    for number, start in enumerate(range(0, rows, CHUNK_ROWS)):
        # Seeded by place, not by turn: the bytes do not depend on who writes what when.
        random = np.random.default_rng([settings.seed, month, number])
        yield trips(random, month, min(CHUNK_ROWS, rows - start))


def trips(random: np.random.Generator, month: int, rows: int) -> pa.RecordBatch:
    """Random trips of one month."""
    pickup, weekday, hour = _pickups(random, month, rows)
    airport = random.random(rows) < 0.022
    miles = np.clip(random.lognormal(0.55, 0.85, rows), 0.05, 45.0)
    miles = np.where(airport, random.normal(17.8, 1.6, rows), miles).round(2)
    speed = np.asarray(SPEED, float)[hour] * random.lognormal(0.0, 0.22, rows)
    # Longer trips take faster roads.
    seconds = (3600 * miles / (speed * (1 + miles / 25)) + 60).astype(np.int64)

    money = _money(random, weekday, hour, miles, seconds, airport)
    from_longitude, from_latitude = _places(random, rows)
    to_longitude, to_latitude = _places(random, rows)
    _lose_gps(random, from_longitude, from_latitude, to_longitude, to_latitude)
    passengers = random.choice(
        np.arange(7), rows, p=[0.0004, 0.7096, 0.14, 0.042, 0.02, 0.053, 0.035]
    )
    columns = {
        "VendorID": random.integers(1, 3, rows),
        "tpep_pickup_datetime": pickup.astype("datetime64[s]"),
        "tpep_dropoff_datetime": (pickup + seconds).astype("datetime64[s]"),
        "passenger_count": passengers,
        "trip_distance": miles,
        "pickup_longitude": from_longitude,
        "pickup_latitude": from_latitude,
        "RateCodeID": np.where(airport, AIRPORT_RATE, STANDARD_RATE),
        "store_and_fwd_flag": np.where(random.random(rows) < 0.008, "Y", "N"),
        "dropoff_longitude": to_longitude,
        "dropoff_latitude": to_latitude,
        **money,
    }
    return pa.RecordBatch.from_pydict({name: pa.array(columns[name]) for name in COLUMNS})


def _pickups(random: np.random.Generator, month: int, rows: int) -> tuple[Ints, Ints, Ints]:
    """Seconds since 1970, day of the week and hour of day of every pickup."""
    first_weekday, days = calendar.monthrange(YEAR, month)
    weekdays = (first_weekday + np.arange(days)) % 7
    by_hour = np.where((weekdays >= 5)[:, None], np.asarray(WEEKEND), np.asarray(WORKDAY))
    demand = by_hour / by_hour.sum(axis=1, keepdims=True) * np.asarray(DAY_DEMAND)[weekdays, None]
    bounds = np.cumsum(demand.ravel())
    # Sorted draws make the search below run along its table. Within an hour the order is random.
    slots = np.searchsorted(bounds, np.sort(random.random(rows)) * bounds[-1], side="right")
    start = calendar.timegm((YEAR, month, 1, 0, 0, 0))
    pickup = start + slots * 3600 + random.integers(0, 3600, rows)
    return pickup.astype(np.int64), weekdays[slots // 24], slots % 24


def _money(
    random: np.random.Generator,
    weekday: Ints,
    hour: Ints,
    miles: Floats,
    seconds: Ints,
    airport: npt.NDArray[np.bool_],
) -> dict[str, npt.NDArray[np.generic]]:
    """Payment type and amounts, in dollars."""
    rows = len(hour)
    payment = random.choice(
        [CARD, CASH, NO_CHARGE, DISPUTE], rows, p=[0.742, 0.252, 0.0045, 0.0015]
    )
    # 2.50 to start, then 0.50 for each fifth of a mile or minute in slow traffic.
    slow_minutes = np.maximum(seconds / 60 - miles * 3, 0)
    fare = 2.5 + 0.5 * np.floor(miles * 5 + slow_minutes * 0.7)
    fare = np.where(airport, AIRPORT_FARE, fare)
    tolls = np.where(random.random(rows) < np.where(airport, 0.8, 0.03), 5.54, 0.0)
    evening = (hour >= 16) & (hour < 20)
    night = (hour >= 20) | (hour < 6)
    extra = np.where(airport, 0.0, np.where(night, 0.5, np.where(evening, 1.0, 0.0)))

    # The screen in the cab proposes 20, 25 or 30 %; some type an amount, a few give nothing.
    proposed = random.choice([0.0, 0.1, 0.2, 0.25, 0.3], rows, p=[0.05, 0.12, 0.57, 0.17, 0.09])
    mood = np.asarray(GENEROSITY)[hour]
    mood = np.where((weekday >= SATURDAY) & (hour < 6), mood * WEEKEND_NIGHT, mood)
    rate = proposed * mood * random.lognormal(0.0, 0.08, rows)
    tip = np.where(payment == CARD, rate * (fare + extra + 0.5 * tolls), 0.0).round(2)

    # The dirt: rides that cost nothing, and refunds, which are the ride with its sign turned.
    odd = random.random(rows)
    fare = np.where(odd < 0.0006, 0.0, fare)
    sign = np.where(odd > 0.9996, -1.0, 1.0)
    tax = np.full(rows, 0.5)
    surcharge = np.full(rows, 0.3)
    total = (fare + extra + tax + tip + tolls + surcharge).round(2)
    amounts = {
        "fare_amount": fare,
        "extra": extra,
        "mta_tax": tax,
        "tip_amount": tip,
        "tolls_amount": tolls,
        "improvement_surcharge": surcharge,
        "total_amount": total,
    }
    # `+ 0.0` because a refund of nothing is 0, not -0.
    return {"payment_type": payment, **{k: v * sign + 0.0 for k, v in amounts.items()}}


def _places(random: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    """Longitudes and latitudes along Manhattan's axis.

    Rounded to single precision first: that is what gives the real files their long fractions.
    """
    along = random.normal(0.0, 0.021, rows)
    across = random.normal(0.0, 0.008, rows)
    longitude = (-73.9785 + 0.55 * along + 0.83 * across).astype(np.float32)
    latitude = (40.7535 + 0.83 * along - 0.55 * across).astype(np.float32)
    return longitude.astype(np.float64), latitude.astype(np.float64)


def _lose_gps(random: np.random.Generator, *coordinates: Floats) -> None:
    """Some trips have no position: zeros, as in the real files."""
    lost = random.random(len(coordinates[0])) < 0.017
    for values in coordinates:
        values[lost] = 0.0
