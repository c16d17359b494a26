"""A query in both tiers: compiled, with every address checked or as users run it, and vectorised.

`crowded` is the same query where threads have many small batches at once: the tasks of a stage
share what they know of its loops.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from plait import config
from plait.engine import batches
from plait.errors import PlaitError
from plait.io.measure import column_statistics
from plait.io.memory import ArrowSource
from plait.planner import builder
from plait.planner.catalog import MemoryCatalog
from plait.planner.sql.statements import bind_query_text
from plait.planner.statistics import ColumnStatistics
from plait.runner import Runner
from plait.scheduler.local import InlineExecutor, ThreadExecutor
from tests.assertions import assert_same_rows
from tests.differential.systems import CHECKED
from tests.engine.tiers.pipelines import Pipeline, Table

VECTORISED: dict[str, object] = {"compile.tier": "vectorised"}
OPTIMIZED = {**CHECKED, "compile.checked": False, "compile.optimize": "first"}
_FEW = 3
_BY_ORDER = re.compile(r"\b(first|last|arg_min|arg_max)\(")


class Pieces(ArrowSource):
    """A table's batches as they are: their encodings, and the ranges they tell, may differ."""

    def __init__(self, table: Table, name: str, splits: int | None = None) -> None:
        self._types = {f.name: f.type for f in table.schema}
        self._setup(table.batches, table.schema, name, splits)

    def _chosen(self, names: Sequence[str]) -> list[pa.RecordBatch]:
        return [batch.select(list(names)) for batch in self._held]

    def _column(self, name: str) -> pa.ChunkedArray:
        logical = self._types[name]
        chunks = [batches.decode(b.column(name), logical) for b in self._held]
        return pa.chunked_array(chunks, logical)

    def _column_statistics(self, name: str) -> ColumnStatistics:
        return column_statistics(self._column(name), None)


def answer(pipeline: Pipeline, settings: dict[str, object]) -> pa.Table | PlaitError:
    """The rows of a pipeline, or the error that it raises."""
    catalog = MemoryCatalog()
    for name, table in pipeline.tables.items():
        source = Pieces(table, name)
        catalog.add(name, builder.scan(source, name=name))
    with config.set(settings), InlineExecutor() as executor:
        return _answer(pipeline, catalog, executor)


def crowded(pipeline: Pipeline, settings: dict[str, object]) -> pa.Table | PlaitError:
    """The same with batches of a few rows, in as many tasks, by threads that often take turns."""
    catalog = MemoryCatalog()
    for name, table in pipeline.tables.items():
        small = [b.slice(at, _FEW) for b in table.batches for at in range(0, len(b), _FEW)]
        pieces = replace(table, batches=tuple(small) or table.batches)
        source = Pieces(pieces, name, splits=len(pieces.batches))
        catalog.add(name, builder.scan(source, name=name))
    turn = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with config.set(settings), ThreadExecutor(workers=3) as executor:
            return _answer(pipeline, catalog, executor)
    finally:
        sys.setswitchinterval(turn)


def _answer(
    pipeline: Pipeline, catalog: MemoryCatalog, executor: InlineExecutor | ThreadExecutor
) -> pa.Table | PlaitError:
    try:
        return Runner(executor).execute(bind_query_text(pipeline.sql, catalog))
    except PlaitError as error:
        return error


def check(pipeline: Pipeline, settings: dict[str, object] = CHECKED) -> None:
    """AssertionError unless both tiers give the same rows, or raise the same error."""
    expected, actual = answer(pipeline, VECTORISED), answer(pipeline, settings)
    if isinstance(expected, PlaitError) or isinstance(actual, PlaitError):
        assert (type(actual), str(actual)) == (type(expected), str(expected))
        return
    _assert_same(actual, expected)


def check_crowded(pipeline: Pipeline, settings: dict[str, object]) -> None:
    """As `check`, both with threads; which of several errors is raised is left to them, and above a
    join which row is first."""
    if " join " in pipeline.sql and _BY_ORDER.search(pipeline.sql):
        return
    expected, actual = crowded(pipeline, VECTORISED), crowded(pipeline, settings)
    if isinstance(expected, PlaitError) or isinstance(actual, PlaitError):
        assert isinstance(actual, PlaitError), f"the vectorised tier raises\n{expected}"
        assert isinstance(expected, PlaitError), f"loops raise\n{actual}"
        return
    _assert_same(actual, expected)


def _assert_same(actual: pa.Table, expected: pa.Table) -> None:
    assert actual.schema == expected.schema
    assert_same_rows(actual, expected, rel=1e-12, absolute=1e-12)
