"""Writing: the parts of each partition under temporary names, then one commit of all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from plait.engine import batches
from plait.planner.physical.operators import CommitFiles, WriteFiles
from plait.planner.schema import Schema


def write_files(
    op: WriteFiles, rows: Iterator[pa.RecordBatch], partition: int
) -> Iterator[pa.RecordBatch]:
    """Write the partition's rows as they come; gives temporary files, their rows and bytes."""
    from plait.io.writer import open_part  # most queries write nothing

    schema = op.input.schema
    target = schema.to_arrow()
    with open_part(op.path, op.format, op.options, partition) as part:
        part.write(target.empty_table())  # a part without rows still has its columns
        for batch in rows:
            plain = batches.to_logical(batch, schema)
            part.write(pa.Table.from_batches([plain.cast(target)]))
        written = part.close()
    yield _rows(op.schema, [(w.temporary, w.rows, w.bytes) for w in written])


def commit_files(op: CommitFiles, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Give all parts their names; gives the files with their rows and bytes."""
    from plait.io.writer import commit, written_file

    listed = [row for batch in rows for row in batch.to_pylist()]
    parts = [
        written_file(row["path"], row["rows"], row["bytes"], op.path, op.options) for row in listed
    ]
    yield _rows(op.schema, [(p.final, p.rows, p.bytes) for p in commit(parts)])


def _rows(schema: Schema, values: list[tuple[str, int, int]]) -> pa.RecordBatch:
    columns = [pa.array([v[i] for v in values], f.type) for i, f in enumerate(schema)]
    return batches.make(schema.names, columns, len(values))
