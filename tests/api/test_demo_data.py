"""The generated taxi trips: the same for everybody, whole or absent, and like a year of trips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from plait import demo_data
from plait.demo_data import COLUMNS, generate, trips
from plait.errors import WriteError

TINY = 0.002  # GB, about 13,000 trips


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.csv"))
    }


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A year of 130,000 trips as the table `trips`, with the file each row came from."""
    folder = tmp_path_factory.mktemp("trips")
    generate(folder, 0.02)
    with duckdb.connect() as connection:
        connection.execute(
            f"create table trips as from read_csv('{folder}/*.csv', filename = true)"
        )
        yield connection


def _ask(year: duckdb.DuckDBPyConnection, what: str, where: str = "true") -> tuple[Any, ...]:
    rows = year.execute(f"select {what} from trips where {where}").fetchall()
    assert len(rows) == 1
    return rows[0]


def test_twelve_files_of_the_asked_size(tmp_path: Path) -> None:
    made = generate(tmp_path, TINY)
    assert [path.name for path in made.paths] == [
        f"yellow_tripdata_2015-{month:02}.csv" for month in range(1, 13)
    ]
    assert made.size == sum(path.stat().st_size for path in made.paths)
    assert made.size == pytest.approx(TINY * 1e9, rel=0.02)
    assert made.rows == sum(path.read_bytes().count(b"\n") - 1 for path in made.paths)
    assert made.generated == 12


def test_same_bytes_whoever_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "CHUNK_ROWS", 300)  # several chunks in each file
    generate(tmp_path / "one", TINY, threads=1)
    generate(tmp_path / "three", TINY, threads=3)
    generate(tmp_path / "other", TINY, seed=1)
    assert _digests(tmp_path / "one") == _digests(tmp_path / "three")
    assert not set(_digests(tmp_path / "one").values()) & set(_digests(tmp_path / "other").values())


def test_second_run_writes_nothing(tmp_path: Path) -> None:
    first = generate(tmp_path, TINY)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    second = generate(tmp_path, TINY)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert (second.generated, second.rows, second.size) == (0, first.rows, first.size)


def test_damaged_and_missing_files_are_made_again(tmp_path: Path) -> None:
    generate(tmp_path, TINY)
    whole = _digests(tmp_path)
    (tmp_path / "yellow_tripdata_2015-03.csv").write_text("cut off")
    (tmp_path / "yellow_tripdata_2015-11.csv").unlink()
    assert generate(tmp_path, TINY).generated == 2
    assert _digests(tmp_path) == whole


def test_other_settings_replace_the_files(tmp_path: Path) -> None:
    generate(tmp_path, TINY)
    assert generate(tmp_path, TINY / 2).generated == 12
    assert generate(tmp_path, TINY / 2, seed=5).generated == 12


def test_broken_manifest_is_no_manifest(tmp_path: Path) -> None:
    generate(tmp_path, TINY)
    (tmp_path / "manifest.json").write_text("{")
    assert generate(tmp_path, TINY).generated == 12
    (tmp_path / "manifest.json").write_text(json.dumps(["something else"]))
    assert generate(tmp_path, TINY).generated == 12


def test_interrupted_run_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_data, "CHUNK_ROWS", 300)
    calls = 0

    def interrupt(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, 0.01, threads=1, progress=interrupt)
    left = _digests(tmp_path)
    assert len(left) < 12

    generate(tmp_path, 0.01, threads=2)
    generate(tmp_path / "whole", 0.01)
    whole = _digests(tmp_path / "whole")
    assert left.items() <= whole.items()
    assert _digests(tmp_path) == whole
    assert not list(tmp_path.glob(".*"))


def test_progress_ends_with_everything(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    made = generate(tmp_path, TINY, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (made.rows, made.rows)
    assert seen == sorted(seen)


def test_full_disk_is_said_before_writing(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"need 1000000\.00 GB"):
        generate(tmp_path, 1e6)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf")])
def test_impossible_sizes(size: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="positive number of gigabytes"):
        generate(tmp_path, size)


def test_header(tmp_path: Path) -> None:
    for path in generate(tmp_path, TINY).paths:
        with path.open() as file:
            assert file.readline() == ",".join(COLUMNS) + "\n"


def test_every_file_is_a_month(year: duckdb.DuckDBPyConnection) -> None:
    months = year.execute(
        "select distinct parse_filename(filename), strftime(tpep_pickup_datetime, '%Y-%m') "
        "from trips order by all"
    ).fetchall()
    assert months == [
        (f"yellow_tripdata_2015-{month:02}.csv", f"2015-{month:02}") for month in range(1, 13)
    ]


def test_no_value_is_missing(year: duckdb.DuckDBPyConnection) -> None:
    counts = _ask(year, ", ".join(f"count({name})" for name in COLUMNS))
    assert len(set(counts)) == 1


def test_tips(year: duckdb.DuckDBPyConnection) -> None:
    tip = "avg(tip_amount / fare_amount)"
    (mean,) = _ask(year, tip, "fare_amount > 0")
    assert 0.15 < mean < 0.22
    (before_dawn,) = _ask(year, tip, "fare_amount > 0 and hour(tpep_pickup_datetime) = 4")
    assert before_dawn > 1.4 * mean
    (without_card,) = _ask(year, "max(abs(tip_amount))", "payment_type <> 1")
    assert without_card == 0


def test_dirt(year: duckdb.DuckDBPyConnection) -> None:
    free, refunds, lost, rows = _ask(
        year,
        "count(*) filter (fare_amount = 0), count(*) filter (fare_amount < 0), "
        "count(*) filter (pickup_longitude = 0), count(*)",
    )
    assert 0 < free < 0.002 * rows
    assert 0 < refunds < 0.002 * rows
    assert 0.01 * rows < lost < 0.03 * rows


def test_amounts_add_up(year: duckdb.DuckDBPyConnection) -> None:
    (worst,) = _ask(
        year,
        "max(abs(total_amount - fare_amount - extra - mta_tax - tip_amount - tolls_amount "
        "- improvement_surcharge))",
    )
    assert worst < 1e-9


def test_trips_take_time_and_get_somewhere(year: duckdb.DuckDBPyConnection) -> None:
    shortest, longest, mean_miles, median_fare = _ask(
        year,
        "min(tpep_dropoff_datetime - tpep_pickup_datetime), "
        "max(tpep_dropoff_datetime - tpep_pickup_datetime), "
        "avg(trip_distance), median(fare_amount)",
    )
    assert shortest.total_seconds() > 0
    assert longest.total_seconds() < 6 * 3600
    assert 2 < mean_miles < 4
    assert 7 < median_fare < 13


def test_evenings_are_busier_than_nights(year: duckdb.DuckDBPyConnection) -> None:
    evening, night = _ask(
        year,
        "count(*) filter (hour(tpep_pickup_datetime) = 19), "
        "count(*) filter (hour(tpep_pickup_datetime) = 4)",
    )
    assert evening > 4 * night


def test_fares_grow_with_distance() -> None:
    batch = trips(np.random.default_rng(0), 1, 20_000)
    miles = batch["trip_distance"].to_numpy()
    fares = np.abs(batch["fare_amount"].to_numpy())
    assert np.corrcoef(miles, fares)[0, 1] > 0.9
