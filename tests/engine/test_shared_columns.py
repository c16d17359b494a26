"""Without a column cache, columns that a plan reads more than once are kept while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import PlaitError
from plait.io.column_cache import cache
from plait.io.parquet import read
from tests.assertions import assert_same_rows

TWICE = """
    select a.k, a.v, (select max(b.v) from t b where b.k = a.k + 1) m, a.w
    from t a where a.v > (select avg(c.v) from t c)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = 40_000
    table = pa.table({"k": range(rows), "v": [i * 7 % 1000 for i in range(rows)], "w": range(rows)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=rows)
    return tmp_path / "t.parquet"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each column was decoded."""
    found: Counter[str] = Counter()
    real = read._Scan._arrays

    def arrays(scan: Any, file: Any, block: Any, names: Any, loops: Any) -> Iterator[Any]:
        found.update(names)
        return real(scan, file, block, names, loops)

    monkeypatch.setattr(read._Scan, "_arrays", arrays)
    return found


@pytest.fixture
def session() -> Iterator[plait.Session]:
    cache.shrink(0)
    with plait.connect("inline", column_cache__bytes=0) as made:
        yield made


def test_each_column_is_decoded_once(
    session: plait.Session, path: Path, decoded: Counter[str]
) -> None:
    found = session.sql(TWICE, tables={"t": str(path)}).to_arrow()
    with duckdb.connect() as duck:
        expected = duck.sql(TWICE.replace(" t ", f" '{path}' ")).to_arrow_table()
    assert_same_rows(found, expected)
    assert decoded == {"k": 1, "v": 1, "w": 1}
    assert cache.bytes == 0


def test_what_is_read_once_is_not_kept(
    session: plait.Session, path: Path, decoded: Counter[str]
) -> None:
    for _ in range(2):
        assert session.sql("select sum(w) s from t", tables={"t": str(path)}).compute().s[0] > 0
    assert decoded == {"w": 2}


def test_nothing_stays_after_an_error(session: plait.Session, path: Path) -> None:
    wrong = "select a.k // 0 from t a join t b on a.k = b.v where error('no') is null"
    with pytest.raises(PlaitError):
        session.sql(wrong, tables={"t": str(path)}).to_arrow()
    assert cache.bytes == 0
