"""One query in plait, several ways, and in DuckDB; they must tell the same.

    check("select ...", tables)

A way is what must not change an answer: the optimizer on or off (only the rules that plans need),
one partition or seven, build sides broadcast or everything shuffled, which tier runs it.

Where DuckDB raises, plait must raise as well, and the other way round; `lenient` allows what SQL
leaves open: an error in a row that another order of conditions would have left out first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from plait import config
from plait.engine import batches
from plait.errors import ComputeError, PlaitError, UnsupportedError
from plait.io.kept import keep
from plait.io.memory import ArrowSource
from plait.io.parquet.source import ParquetSource
from plait.io.reader import iterate_split
from plait.planner import builder
from plait.planner.catalog import MemoryCatalog
from plait.planner.optimizer.pipeline import RULES
from plait.planner.physical.planner import Settings
from plait.planner.source import TableSource
from plait.planner.sql.parser import Script, parse
from plait.planner.sql.statements import bind_query_text
from plait.runner import Runner
from plait.scheduler.local import InlineExecutor
from tests.assertions import assert_same_rows

Tables = Mapping[str, pa.Table]

# loops wherever there is a compiled form, with every address checked; code is kept between runs
CHECKED: dict[str, object] = {
    "compile.tier": "compiled",
    "compile.checked": True,
    "compile.cache": str(Path(__file__).parents[2] / ".pytest_cache" / "code"),
}
OPTIONAL_RULES = tuple(rule.name for rule in RULES if not rule.required)


@dataclass(frozen=True)
class Way:
    """How a query is run; with `files` over Parquet of small row groups instead of memory, with
    `kept` over frames in the form in which `persist` keeps them, with `compiled` in loops wherever
    there is a compiled form, however few the rows, with every address checked."""

    name: str
    partitions: int
    optimize: bool = True
    shuffle: bool = False
    files: bool = False
    kept: bool = False
    compiled: bool = False

    @property
    def settings(self) -> dict[str, object]:
        """The settings that make it so."""
        return CHECKED if self.compiled else {}

    def run(self, sql: str | Script, tables: Tables) -> pa.Table:
        """plait's answer."""
        with config.set(self.settings), ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory())) if self.files else None
            catalog = MemoryCatalog()
            for name, table in tables.items():
                source = self._source(name, table, folder)
                catalog.add(name, builder.scan(source, name=name))
            plan = bind_query_text(sql, catalog)
            disabled = () if self.optimize else OPTIONAL_RULES
            executor = stack.enter_context(InlineExecutor())
            return _Runner(executor, disabled, shuffle=self.shuffle).execute(plan)

    def _source(self, name: str, table: pa.Table, folder: Path | None) -> TableSource:
        if folder is not None:
            path = folder / f"{name}.parquet"
            size = max(1, -(-table.num_rows // self.partitions))
            pq.write_table(table, path, row_group_size=size, store_decimal_as_integer=True)
            return ParquetSource(path, split_rows=size)
        source = ArrowSource(table, name=name, splits=self.partitions)
        if not self.kept:
            return source
        (whole,) = keep(_pieces_of(source), source.schema, workers=1)
        size = max(1, -(-whole.num_rows // self.partitions))
        cut = [whole.slice(i, size) for i in range(0, max(1, whole.num_rows), size)]
        return ArrowSource.of_partitions(cut, source.schema, name)


def _pieces_of(source: TableSource) -> list[pa.RecordBatch]:
    names, schema = source.schema.names, source.schema
    splits = source.splits(names)
    return [batches.from_table(p, schema) for s in splits for p in iterate_split(s, names)]


@dataclass
class _Runner(Runner):
    shuffle: bool = False

    @property
    def settings(self) -> Settings:
        """Small inputs take the paths of large ones, if asked."""
        if self.shuffle:
            return Settings(workers=3, broadcast_bytes=0, gather_groups=0)
        return Settings(workers=2)


WAYS = (
    Way("optimized", 1),
    Way("optimized, 7 partitions, shuffled", 7, shuffle=True),
    Way("not optimized, 7 partitions", 7, optimize=False),
    Way("optimized, Parquet", 5, files=True),
    Way("optimized, kept", 3, kept=True),
    Way("compiled, checked", 2, kept=True, compiled=True),
)


def some_ways(random: Random) -> tuple[Way, ...]:
    """The plain way and two others: long searches find more in new queries than in all ways."""
    return WAYS[0], *random.sample(WAYS[1:], k=2)


@cache
def duck() -> duckdb.DuckDBPyConnection:
    """The oracle."""
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def ask_duckdb(sql: str, tables: Tables) -> pa.Table:
    """DuckDB's answer."""
    connection = duck()
    for name, table in tables.items():
        connection.register(name, table)
    try:
        found = connection.sql(sql).to_arrow_table()
    finally:
        for name in tables:
            connection.unregister(name)
    return found.rename_columns(_unique(found.column_names))


def _unique(names: list[str]) -> list[str]:
    """plait has no two columns of one name: the second `a` is `a_1`."""
    found: list[str] = []
    for name in names:
        new, number = name, 0
        while new in found:
            number += 1
            new = f"{name}_{number}"
        found.append(new)
    return found


class Refused(Exception):  # noqa: N818  (an outcome, not a fault)
    """plait or DuckDB says that it does not do this."""


# DuckDB does not do it, or does not take it for SQL: it says nothing of the answer
_REFUSALS = (duckdb.BinderException, duckdb.ParserException, duckdb.NotImplementedException)


def check(
    sql: str,
    tables: Tables,
    *,
    ordered: bool = False,
    names: bool = True,
    rel: float = 1e-9,
    lenient: bool = False,
    ways: Sequence[Way] = WAYS,
) -> None:
    """AssertionError unless all ways tell what DuckDB tells; Refused if one does not do it."""
    expected: pa.Table | None = None
    reason = ""
    try:
        expected = ask_duckdb(sql, tables)
    except duckdb.Error as error:
        if lenient and isinstance(error, _REFUSALS):
            raise Refused(f"DuckDB: {error}") from error
        reason = str(error)
    parsed: str | Script = sql
    with suppress(PlaitError):  # each way is to raise it by itself
        parsed = parse(sql)
    for way in ways:
        try:
            actual = way.run(parsed, tables)
        except UnsupportedError as error:
            raise Refused(str(error)) from error
        except PlaitError as error:
            spared = lenient and isinstance(error, ComputeError) and not way.optimize
            if expected is None or spared:
                continue
            raise AssertionError(f"{way.name}: DuckDB answers, plait raises\n{error}") from error
        except Exception as error:
            raise AssertionError(
                f"{way.name}: plait fails\n{type(error).__name__}: {error}"
            ) from error
        if expected is None:
            if lenient:
                continue
            answer = actual.slice(0, 5).to_pylist()
            raise AssertionError(f"{way.name}: DuckDB raises, plait answers\n{reason}\n{answer}")
        try:
            assert_same_rows(actual, expected, ordered, rel, absolute=1e-12, names=names)
        except AssertionError as error:
            raise AssertionError(f"{way.name}: {error}") from None


def outcome(
    sql: str,
    tables: Tables,
    *,
    ordered: bool = False,
    lenient: bool = True,
    ways: Sequence[Way] = WAYS,
) -> str:
    """What `check` finds wrong; empty if nothing."""
    try:
        check(sql, tables, ordered=ordered, lenient=lenient, names=False, ways=ways)
    except Refused:
        return ""
    except AssertionError as error:
        return str(error)
    return ""
