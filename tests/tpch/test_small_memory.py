"""The 22 queries when next to nothing fits into memory; the judge is DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import plait
from tests.assertions import assert_same_rows
from tests.tpch.data import TABLES, query
from tests.tpch.test_answers import NUMBERS, expected


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory, tpch_dir: Path) -> Iterator[plait.Session]:
    folder = tmp_path_factory.mktemp("spill")
    # a task may gather 16 kB: less than one batch
    with plait.connect(threads=2, memory_limit="256KiB", spill_directory=str(folder)) as session:
        for table in TABLES:
            session.register(table, str(tpch_dir / f"{table}.parquet"))
        yield session
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", NUMBERS)
def test_answers(number: int, tight: plait.Session, tpch_dir: Path) -> None:
    answer = tight.execute(query(number))
    assert_same_rows(answer, expected(tpch_dir)[number])


def test_spilled_bytes_are_shown(tight: plait.Session) -> None:
    text = tight.sql("SELECT l_orderkey, l_partkey, count(*) FROM lineitem GROUP BY ALL").explain(
        analyze=True
    )
    assert "spilled" in text
