"""A query in both tiers: compiled, with every address checked, and vectorised."""

from __future__ import annotations

from collections.abc import Sequence

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
from plait.scheduler.local import InlineExecutor
from tests.assertions import assert_same_rows
from tests.differential.systems import CHECKED
from tests.engine.tiers.pipelines import Pipeline, Table

VECTORISED: dict[str, object] = {"compile.tier": "vectorised"}


class Pieces(ArrowSource):
    """A table's batches as they are: their encodings, and the ranges they tell, may differ."""

    def __init__(self, table: Table, name: str) -> None:
        self._types = {f.name: f.type for f in table.schema}
        self._setup(table.batches, table.schema, name, None)

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
        try:
            return Runner(executor).execute(bind_query_text(pipeline.sql, catalog))
        except PlaitError as error:
            return error


def check(pipeline: Pipeline) -> None:
    """AssertionError unless both tiers give the same rows, or raise the same error."""
    expected, actual = answer(pipeline, VECTORISED), answer(pipeline, CHECKED)
    if isinstance(expected, PlaitError) or isinstance(actual, PlaitError):
        assert (type(actual), str(actual)) == (type(expected), str(expected))
        return
    assert actual.schema == expected.schema
    assert_same_rows(actual, expected, rel=1e-12, absolute=1e-12)
