"""A frame out of plait: its rows counted, its files written, what explain shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plait.display import pandas_dtype
from plait.errors import UnsupportedError
from plait.frame import Frame, Runner
from plait.io.access import split_url
from plait.planner import builder
from plait.planner.logical import LogicalPlan

if TYPE_CHECKING:
    import pandas as pd

_SINGLE = {
    "parquet": (".parquet", ".parq", ".pq"),
    "csv": (".csv", ".tsv", ".csv.gz"),
    "json": (".json", ".jsonl", ".ndjson", ".json.gz"),
}


def labels(frame: Frame) -> Any:
    """The column labels as pandas has them."""
    import pandas as pd

    found = frame.labels
    if found and all(isinstance(label, tuple) for label in found):
        return pd.MultiIndex.from_tuples(found)
    return pd.Index(list(found), dtype="str" if all(type(x) is str for x in found) else None)


def dtypes(frame: Frame) -> pd.Series:
    """The type of each column where no value is missing."""
    import pandas as pd

    kinds = [frame.hints.get(c.name, pandas_dtype(frame.expr(c.name).dtype)) for c in frame.columns]
    return pd.Series(kinds, index=labels(frame), dtype=object)


def shown(frame: Frame) -> LogicalPlan:
    """The plan that compute runs."""
    return builder.select(frame.plan, frame.kept)


def count(frame: Frame) -> int:
    """How many rows; from footers alone where that is possible."""
    return frame.runner.count(frame.plan)


def write(frame: Frame, path: str | None, format_: str, options: Mapping[str, Any]) -> Any:
    """Write files; gives a pandas frame of path, rows and bytes of each."""
    if path is None:
        raise UnsupportedError(
            f"to_{format_} needs a path; for a text use compute().to_{format_}()"
        )
    given = dict(options)
    with_index = given.pop("index", False)
    if with_index:
        raise UnsupportedError("The index is not written; call reset_index() before")
    given.pop("orient", None)
    given.pop("lines", None)
    text = str(path)
    single = given.pop("single_file", text.lower().endswith(_SINGLE[format_]))
    if single:
        given["single_file"] = True
    text, given = target(text, given, frame.runner)
    plan = builder.write(frame.rows_only(), text, format_, tuple(sorted(given.items())))
    return frame.runner.write(plan).to_pandas()


def target(path: str, options: Mapping[str, Any], runner: Runner) -> tuple[str, dict[str, Any]]:
    """Path and options of a plan that writes: secrets become a reference."""
    access = runner.access(options.get("storage_options"))
    if "://" in path:
        path, access = split_url(path, access)
    return path, {**options, "storage_options": access}
