"""Rows that are added to files that are there: their columns must be the same.

Readers would otherwise refuse the folder, or put NULLs where nobody meant any. One file that is
there is asked; JSON is not, whose files have the columns their rows happen to have.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import WriteError
from plait.io.csv.source import CsvSource
from plait.io.files import visible
from plait.io.hive import keys_of
from plait.io.parquet.source import ParquetSource
from plait.io.write.commit import committed_below
from plait.io.write.formats import SUFFIXES
from plait.io.write.output_files import Output
from plait.planner.schema import Schema
from plait.planner.types import sql_name


def check_columns(
    out: Output, target: str, kind: str, options: Mapping[str, Any], schema: Schema
) -> None:
    """Raise if rows of a schema do not fit what is in the folder `target`."""
    files = [p for p in committed_below(out, target) if visible(os.path.basename(p), ())]
    files = [p for p in files if SUFFIXES[kind] in os.path.basename(p)]
    if not files or kind == "json":
        return
    first = min(files)
    keys = list(options.get("partition_on") or ())
    found = list(keys_of(first[len(target) + 1 :]))
    if found != keys:
        raise WriteError(
            f"{target} is partitioned by {', '.join(found) or 'nothing'}, what is appended by "
            f"{', '.join(keys) or 'nothing'}: pass partition_on={found or None}"
        )
    dropped = () if options.get("keep_partition_columns") else tuple(keys)
    ours = {f.name: f.type for f in schema if f.name not in dropped}
    storage = options.get("storage_options")
    if kind == "csv":
        if options.get("header", True) is not True:
            return
        csv = CsvSource(
            first, sep=options.get("sep", ","), hive_partitioning=False, storage_options=storage
        )
        theirs: dict[str, pa.DataType | None] = dict.fromkeys(csv.schema.names)
        same_order = list(ours) == list(theirs)
    else:
        parquet = ParquetSource(first, hive_partitioning=False, storage_options=storage)
        theirs = {f.name: f.type for f in parquet.schema}
        same_order = True
    if set(ours) != set(theirs) or not same_order:
        raise WriteError(
            f"{target} has the columns {', '.join(theirs)}; what is appended has "
            f"{', '.join(ours)}: select the same, in this order"
        )
    for name, there in theirs.items():
        if there is not None and not _same(there, ours[name]):
            raise WriteError(
                f"{target}: column {name!r} is {sql_name(there)} there, and {sql_name(ours[name])} "
                "in what is appended; cast it first"
            )


def _same(there: pa.DataType, here: pa.DataType) -> bool:
    if pat.is_timestamp(there) and pat.is_timestamp(here):
        return (there.tz is None) == (here.tz is None)
    return bool(there == here or pat.is_null(here))
