"""The query texts themselves: all run in DuckDB, and give the specification's answers at SF 1.

A mistyped parameter would make every system agree on an answer to another question.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.tpch.data import TABLES, query

D = Decimal

# Rows and first row (its leading columns) of the specification's answer set for scale factor 1.
ANSWERS: dict[int, tuple[int, tuple[object, ...]]] = {
    1: (4, ("A", "F", D("37734107.00"), D("56586554400.73"), D("53758257134.8700"))),
    2: (100, (D("9938.53"), "Supplier#000005359", "UNITED KINGDOM", 185358)),
    3: (10, (2456423, D("406181.0111"))),
    4: (5, ("1-URGENT", 10594)),
    5: (5, ("INDONESIA", D("55502041.1697"))),
    6: (1, (D("123141078.2283"),)),
    7: (4, ("FRANCE", "GERMANY", 1995, D("54639732.7336"))),
    8: (2, (1995, pytest.approx(0.03443589))),
    9: (175, ("ALGERIA", 1998, D("27136900.1803"))),
    10: (20, (57040, "Customer#000057040", D("734235.2455"))),
    11: (1048, (129760, D("17538456.86"))),
    12: (2, ("MAIL", 6202, 9324)),
    13: (42, (0, 50005)),
    14: (1, (pytest.approx(16.3807786),)),
    15: (1, (8449, "Supplier#000008449")),
    16: (18314, ("Brand#41", "MEDIUM BRUSHED TIN", 3, 28)),
    17: (1, (pytest.approx(348406.0542857),)),
    18: (57, ("Customer#000128120", 128120, 4722021)),
    19: (1, (D("3083843.0578"),)),
    20: (186, ("Supplier#000000020",)),
    21: (100, ("Supplier#000002829", 20)),
    22: (7, ("13", 888, D("6737713.99"))),
}


def _views(duck: duckdb.DuckDBPyConnection, folder: Path, kind: str) -> None:
    for table in TABLES:
        duck.execute(f"create view {table} as from '{folder / table}.{kind}'")


@pytest.mark.parametrize("number", range(1, 23))
def test_query_runs(number: int, duck: duckdb.DuckDBPyConnection, tpch_dir: Path) -> None:
    _views(duck, tpch_dir, "parquet")
    assert duck.execute(query(number)).fetchall()


def test_csv_tables_hold_the_same_rows(
    duck: duckdb.DuckDBPyConnection, tpch_dir: Path, tpch_csv_dir: Path
) -> None:
    for table in TABLES:
        count = "select count(*) from '{}'"
        (parquet,) = duck.execute(count.format(tpch_dir / f"{table}.parquet")).fetchall()
        (csv,) = duck.execute(count.format(tpch_csv_dir / f"{table}.csv")).fetchall()
        assert csv == parquet, table


@pytest.mark.heavy
@pytest.mark.parametrize("number", range(1, 23))
def test_query_gives_the_known_answer(
    number: int, duck: duckdb.DuckDBPyConnection, tpch_sf1_dir: Path
) -> None:
    _views(duck, tpch_sf1_dir, "parquet")
    rows = duck.execute(query(number)).fetchall()
    count, first = ANSWERS[number]
    assert len(rows) == count
    assert rows[0][: len(first)] == first
