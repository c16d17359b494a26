"""A large answer in a few thousand rows that differ when it differs.

Sorting two answers of ten million rows, to set them side by side, takes longer than the race. Here
each row falls into one of 4096 buckets by a hash of its exact columns (numbers without a fraction,
texts, dates), and a bucket is told by its number of rows and, for each inexact column, by how many
values it has and their sum. A value in the wrong row, a missing row and a doubled one all change
some bucket; noise in the last bits of floats does not. It is for answers whose rows have keys: with
few different exact values a bucket's sum is too large to show a small fault.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.types as pt

LARGE = 200_000  # rows up to which an answer stays as it is
BUCKETS = 4096


def digest(answer: pa.Table) -> pa.Table:
    """The answer itself, or its digest if it is large."""
    if answer.num_rows <= LARGE:
        return answer
    exact, sums = [], ["count(*)"]
    for number, field in enumerate(answer.schema):
        name = f"c{number}"
        if pt.is_floating(field.type) or (pt.is_decimal(field.type) and field.type.scale):
            sums += [f"count({name})", f"sum({name}::double)"]
        else:
            exact.append(f"{name}::varchar")
    bucket = f"hash({', '.join(exact)}) % {BUCKETS}" if exact else "0"
    with duckdb.connect() as connection:
        names = [f"c{n}" for n in range(answer.num_columns)]
        connection.register("answer", answer.rename_columns(names))
        query = f"select {bucket} as bucket, {', '.join(sums)} from answer group by bucket"
        return connection.sql(query).to_arrow_table()
