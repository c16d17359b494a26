"""What SQL plait answers, and what it refuses: one probe each, in `features/*.sql`.

A probe is a few lines up to the next blank one:

    -- name of the feature
    -- refused: WORD           plait says that it does not do this: WORD in the text, and a caret
    -- error: NameOfAnError    the query is wrong; plait raises this, DuckDB raises too
    -- ordered                 the order of rows counts
    -- rows: N                 only the number of rows is certain
    -- columns: a b            only these columns of the answer are DuckDB's as well
    -- answers                 the answer is plait's own affair
    select ...

Without a note the rows are DuckDB's. The refused probes are the honest list of what is missing:
when plait learns one, its test fails until the note is gone.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import plait
from plait import errors
from tests.assertions import assert_same_rows
from tests.differential.systems import WAYS, Refused, Tables, ask_duckdb, check

FOLDER = Path(__file__).parent / "features"

A = pa.table(
    {
        "id": pa.array([1, 2, 3, 4, 5, 6], pa.int32()),
        "k": pa.array([1, 1, 2, None, 3, 2], pa.int32()),
        "v": pa.array([4, None, 3, 1, 2, 2], pa.int32()),
        "s": ["x", "y", "x", None, "", "y"],
    }
)
B = pa.table(
    {
        "id": pa.array([1, 2, 3, 4, 5], pa.int64()),
        "k": pa.array([1, 2, 2, None, 7], pa.int64()),
        "w": pa.array([10, 20, None, 40, 5], pa.int64()),
        "s": ["x", "x", "y", "y", None],
    }
)
D = Decimal
G = pa.table(
    {
        "grp": ["Ab", "Ab", "abx", None, "abx", "Ab", "c"],
        "x": pa.array([1, 2, 3, 4, 5, 2, None], pa.int64()),
        "y": [1.0, 2.5, math.nan, None, -0.5, math.inf, 2.5],
        "d": [
            dt.date(2024, 2, 29),
            dt.date(2024, 1, 31),
            None,
            dt.date(1969, 12, 31),
            dt.date(2024, 3, 1),
            dt.date(2024, 2, 29),
            dt.date(2023, 12, 31),
        ],
        "ts": [
            dt.datetime(2024, 2, 29, 23, 59, 59, 999999),
            dt.datetime(2024, 1, 1),
            dt.datetime(2024, 3, 1, 12, 30),
            None,
            dt.datetime(1960, 6, 15, 1, 2, 3, 4),
            dt.datetime(2024, 2, 29, 6),
            dt.datetime(2024, 3, 1, 11, 59),
        ],
        "m": pa.array(
            [D("1.50"), D("-2.25"), None, D("2.00"), D("0.00"), D("99999.99"), D("1.50")],
            pa.decimal128(9, 2),
        ),
        "ok": [True, False, None, True, True, None, False],
    }
)
TABLES: Tables = {"a": A, "b": B, "e": A.slice(0, 0), "g": G}


@dataclass(frozen=True)
class Probe:
    """A feature, its query, and what is expected of plait."""

    name: str
    sql: str
    note: str = ""
    value: str = ""

    def __str__(self) -> str:
        return self.name


def _probes() -> Iterator[Probe]:
    for path in sorted(FOLDER.glob("*.sql")):
        for block in path.read_text().split("\n\n"):
            lines = block.strip().splitlines()
            name = lines.pop(0).removeprefix("-- ")
            note = value = ""
            if lines[0].startswith("-- "):
                note, _, value = lines.pop(0).removeprefix("-- ").partition(": ")
            yield Probe(f"{path.stem}: {name}", "\n".join(lines), note, value)


# apart in everything that can differ; random queries go all ways
SOME_WAYS = (*WAYS[1:3], WAYS[-1])

PROBES = list(_probes())
STATEMENTS = [p for p in PROBES if p.name.startswith("statements: ")]
QUERIES = [p for p in PROBES if p not in STATEMENTS]


@pytest.mark.parametrize("probe", QUERIES, ids=str)
def test_query(probe: Probe) -> None:
    match probe.note:
        case "" | "ordered":
            try:
                check(probe.sql, TABLES, ordered=probe.note == "ordered", ways=SOME_WAYS)
            except Refused as refusal:
                pytest.fail(f"plait refuses this: {refusal}")
        case "refused":
            expect_refusal(probe, lambda: WAYS[0].run(probe.sql, TABLES))
        case "error":
            with pytest.raises(duckdb.Error):
                ask_duckdb(probe.sql, TABLES)
            kind = getattr(errors, probe.value)
            for way in SOME_WAYS:
                with pytest.raises(kind):
                    way.run(probe.sql, TABLES)
        case "rows":
            for way in SOME_WAYS:
                assert way.run(probe.sql, TABLES).num_rows == int(probe.value)
        case other:
            pytest.fail(f"unknown note {other!r}")


def expect_refusal(probe: Probe, run: Callable[[], object]) -> None:
    """plait names what it does not do, and shows where."""
    try:
        answer = run()
    except (errors.UnsupportedError, errors.SqlError) as error:
        text = str(error)
        assert probe.value.casefold() in text.casefold(), text
        assert "^" in text, text
        return
    pytest.fail(f"plait answers this now; take the note off: {answer}")


@pytest.mark.parametrize("probe", STATEMENTS, ids=str)
def test_statements(probe: Probe, duck: duckdb.DuckDBPyConnection) -> None:
    with plait.connect("inline") as session:
        for name, table in TABLES.items():
            session.register(name, table)
            duck.register(name, table)

        def answer() -> pa.Table:
            found: pa.Table = session.sql(probe.sql).to_arrow()
            return found

        match probe.note:
            case "":
                assert_same_rows(answer(), _last_answer(duck, probe.sql))
            case "columns":
                names = probe.value.split()
                expected = _last_answer(duck, probe.sql).select(names)
                assert_same_rows(answer().select(names), expected, ordered=True)
            case "rows":
                more = len(TABLES)  # SHOW TABLES names those of the test as well
                assert answer().num_rows == int(probe.value) + more
            case "answers":
                assert answer().num_rows
            case "refused":
                expect_refusal(probe, answer)
            case "error":
                with pytest.raises(duckdb.Error):
                    _last_answer(duck, probe.sql)
                with pytest.raises(getattr(errors, probe.value)):
                    answer()
            case other:
                pytest.fail(f"unknown note {other!r}")


def _last_answer(connection: duckdb.DuckDBPyConnection, script: str) -> pa.Table:
    *first, last = (part for part in script.split(";") if part.strip())
    for statement in first:
        connection.execute(statement).fetchall()
    return connection.sql(last).to_arrow_table()
