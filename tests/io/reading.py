"""Reading a whole source for tests, in several ways that must agree."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import pyarrow as pa

from plait.io.reader import iterate_split, read_split
from plait.planner.expr import Expr
from plait.planner.source import TableSource
from plait.planner.types import is_decimal, is_string


def read_source(
    source: TableSource, columns: Sequence[str] | None = None, predicate: Expr | None = None
) -> pa.Table:
    """All rows, decoded to the types that the schema promises."""
    names = list(source.schema.names if columns is None else columns)
    tables = []
    for split in source.splits(names):
        table = read_split(pickle.loads(pickle.dumps(split)), names, predicate)
        assert table.column_names == names
        if split.rows is not None and predicate is None:
            assert table.num_rows == split.rows
        most = 7 if table.num_rows < 1000 else 50_000
        pieces = [as_table(p) for p in iterate_split(split, names, predicate, most)]
        assert sum(p.num_rows for p in pieces) == table.num_rows
        assert all(p.num_rows <= most for p in pieces)
        decoded = decode(source, table)
        if pieces and names:
            assert same(pa.concat_tables([decode(source, p) for p in pieces]), decoded)
        tables.append(decoded)
    if not tables:
        return source.schema.to_arrow().empty_table().select(names)
    return pa.concat_tables(tables)


def same(a: pa.Table, b: pa.Table) -> bool:
    """Whether two tables hold the same, NaN included."""
    return a.equals(b) or repr(a.to_pydict()) == repr(b.to_pydict())


def as_table(piece: pa.Table | pa.RecordBatch) -> pa.Table:
    """What `iterate_split` gave, as a table."""
    if isinstance(piece, pa.Table):
        return piece
    if not piece.num_columns:
        return pa.table({"#": pa.nulls(piece.num_rows)}).select([])
    return pa.Table.from_batches([piece])


def count_rows(source: TableSource) -> int:
    """The number of rows when no column is asked for."""
    return sum(read_split(s, []).num_rows for s in source.splits([]))


def decode(source: TableSource, table: pa.Table) -> pa.Table:
    """The table without encodings; fails for types that are neither logical nor an encoding."""
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        wanted = source.schema[name].type
        if column.type != wanted:
            coded = pa.types.is_dictionary(column.type) and is_string(wanted)
            narrow = is_decimal(wanted) and column.type.bit_width in (32, 64)
            assert coded or narrow, f"{name} is {column.type}, not {wanted}"
            if coded:
                assert column.type.index_type in (pa.int8(), pa.int16(), pa.int32())
                assert column.type.value_type == pa.string()
                for chunk in column.chunks:
                    assert chunk.dictionary.null_count == 0
                    assert len(chunk.dictionary.unique()) == len(chunk.dictionary)
            column = column.cast(wanted)
        columns.append(column)
    return pa.table(columns, names=table.column_names) if columns else table
