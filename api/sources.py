"""Stored data as frames: which source reads what, and what pandas knows beyond it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from plait import expressions as ex
from plait.calling import caller
from plait.config import Config
from plait.errors import TypeMismatchError, UnsupportedError
from plait.frame import WRAP, Frame, Labelled, Runner
from plait.io.memory import ArrowSource
from plait.io.store.access import Access
from plait.planner import builder
from plait.planner.expr import Column
from plait.planner.interpreter import plannable
from plait.planner.logical import LogicalPlan
from plait.planner.source import TableSource

if TYPE_CHECKING:
    import pandas as pd

    from plait.io.csv.source import CsvSource


def parquet(
    path: Any, storage_options: Mapping[str, Any] | None, options: Mapping[str, Any], config: Config
) -> TableSource:
    """Parquet files as a table."""
    from plait.io.parquet.source import ParquetSource

    _refuse_unknown("read_parquet", ParquetSource, options)
    given = {"split_bytes": config.get("partition.bytes"), **options}
    return ParquetSource(path, storage_options=Access.within(storage_options, config), **given)


def delta(
    path: Any, version: int | None, storage_options: Mapping[str, Any] | None, config: Config
) -> TableSource:
    """A version of a Delta table."""
    from plait.io.delta import DeltaSource

    access = Access.within(storage_options, config)
    return DeltaSource(
        path, version=version, storage_options=access, split_bytes=config.get("partition.bytes")
    )


def csv(
    path: Any, storage_options: Mapping[str, Any] | None, options: Mapping[str, Any], config: Config
) -> CsvSource:
    """CSV files as a table."""
    from plait.io.csv.source import CsvSource

    return CsvSource(path, storage_options=Access.within(storage_options, config), **options)


def json(
    path: Any, storage_options: Mapping[str, Any] | None, options: Mapping[str, Any], config: Config
) -> TableSource:
    """Files of JSON lines as a table."""
    from plait.io.json.source import JsonSource

    _refuse_unknown("read_json", JsonSource, options)
    return JsonSource(path, storage_options=Access.within(storage_options, config), **options)


def _refuse_unknown(function: str, source: type, options: Mapping[str, Any]) -> None:
    known = [n for n in signature(source).parameters if n not in ("path", "storage_options")]
    for name in options:
        if name not in known:
            raise UnsupportedError(
                f"{function} has no option {name!r} in plait; it has {', '.join(sorted(known))}"
            )


def arrow(data: Any, npartitions: int | None = None, name: str = "arrow") -> TableSource:
    """Arrow data as a table."""
    return ArrowSource(data, name=name, splits=npartitions)


def scanned(source: TableSource, runner: Runner, columns: Sequence[str] | None) -> Frame:
    """A frame of a table's columns, numbered anew when computed."""
    plan: LogicalPlan = builder.scan(source, origin=caller())
    if columns is not None:
        plan = builder.select(plan, list(columns))
    return of_plan(plan, runner)


def of_plan(plan: LogicalPlan, runner: Runner) -> Frame:
    """A frame of a plan's columns; a NaN that a float may hold is NULL from here on."""
    with plannable():
        named = [(f.name, ex.no_nan(plan, Column(f.name, f.type))) for f in plan.schema]
    if any(not isinstance(e, Column) for _, e in named):
        plan = builder.project(plan, named)
    return Frame(plan, tuple(Labelled(n, n) for n in plan.schema.names), runner)


def from_pandas(data: pd.DataFrame | pd.Series, npartitions: int | None, runner: Runner) -> Any:
    """A frame (or Series) of pandas data, with its index."""
    import pandas as pd

    if isinstance(data, pd.Series):
        label = data.name
        frame = pandas_frame(data.to_frame(0 if label is None else label), npartitions, runner)
        return WRAP.series(frame, frame.expr(frame.names[0]), label)
    if not isinstance(data, pd.DataFrame):
        raise TypeMismatchError(
            f"from_pandas takes a pandas DataFrame or Series, not {type(data).__name__}; "
            "Arrow data goes to plait.from_arrow"
        )
    return WRAP.dataframe(pandas_frame(data, npartitions, runner))


def pandas_frame(data: pd.DataFrame, npartitions: int | None, runner: Runner) -> Frame:
    """A frame of a pandas DataFrame."""
    import pandas as pd

    from plait.io.frames import PandasSource

    source = PandasSource(data, npartitions=npartitions)
    plan = builder.scan(source, origin=caller())
    columns = tuple(Labelled(label, name) for name, label in source.labels.items())
    index = tuple(
        Labelled(label, name)
        for label, name in zip(source.index_names, source.index_columns, strict=True)
    )
    hints = {
        c.name: data.iloc[:, i].dtype
        for i, c in enumerate(columns)
        if isinstance(data.iloc[:, i].dtype, pd.CategoricalDtype)
    }
    return Frame(plan, columns, runner, index, hints)


def is_table(value: object) -> bool:
    """Whether SQL may read a Python object as a table."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in ("pandas", "pyarrow", "polars"):
        return kind.__name__ in (
            "DataFrame",
            "Table",
            "RecordBatch",
            "LazyFrame",
            "RecordBatchReader",
            "Dataset",
        )
    return hasattr(kind, "__arrow_c_stream__")


def table_plan(value: Any, runner: Runner, name: str) -> LogicalPlan:
    """A Python object as a table of SQL; pandas' index is left out, as DuckDB does."""
    if hasattr(value, "_frame"):
        if hasattr(value, "_expr"):
            value = value.to_frame()
        rows: LogicalPlan = value._frame.rows_only
        return rows
    if type(value).__module__.partition(".")[0] == "pandas":
        frame = pandas_frame(value if hasattr(value, "columns") else value.to_frame(), None, runner)
        return frame.rows_only
    if type(value).__name__ == "LazyFrame":
        value = value.collect()
    if not hasattr(value, "__arrow_c_stream__") and not hasattr(value, "__arrow_c_array__"):
        raise TypeMismatchError(
            f"{name!r} is a {type(value).__name__}, which is no table; give a plait or pandas "
            "frame, Arrow data, or a path"
        )
    if type(value) in (pa.Table, pa.RecordBatch):
        return _taken_in(value, name)
    return builder.scan(arrow(value, name=name), name=name)


def _taken_in(value: pa.Table | pa.RecordBatch, name: str) -> LogicalPlan:
    """The scan of Arrow data, which do not change: one and the same while they live."""
    key = id(value), name
    known = _SCANS.get(key)
    if known is None:
        # the source has a table of its own, of the same columns
        scan = builder.scan(arrow(value, name=name), name=name)
        tie = weakref.ref(value, lambda _: _SCANS.pop(key, None))
        known = _SCANS[key] = tie, scan
    return known[1]


_SCANS: dict[tuple[int, str], tuple[weakref.ref[Any], LogicalPlan]] = {}


def opened(path: str | list[str], options: dict[str, Any], config: Config) -> TableSource:
    """A file that SQL names, by its format or its suffix; read as DuckDB reads it."""
    from plait.io.formats import SQL_CSV

    kind = options.pop("format", None) or _kind_of(path if isinstance(path, str) else path[0])
    storage = options.pop("storage_options", None)
    told = {name: options.pop(name) for name in _OF_FILES if name in options}
    if kind == "parquet":
        told = {"union_by_name": False, "as_duckdb": True, **told}
        return parquet(path, storage, {**told, **options}, config)
    if kind == "csv":
        options = _sql_csv_options(options, config)
        return csv(path, storage, {**SQL_CSV, **told, **options}, config)
    if kind == "json":
        return json(path, storage, {"infer_dates": True, **told, **_sql_json(options)}, config)
    raise UnsupportedError(f"Files of format {kind!r} are not read by plait ({path})")


# options that read_parquet, read_csv and read_json have in common
_OF_FILES = ("union_by_name", "filename", "hive_partitioning", "hive_types")


def _sql_json(options: dict[str, Any]) -> dict[str, Any]:
    """DuckDB's names for JSON options as those of plait's reader."""
    given: dict[str, Any] = {}
    for name, value in options.items():
        if name == "compression":
            given["compression"] = _compression(value)
        elif name not in ("records", "auto_detect"):
            raise UnsupportedError(f"read_json in SQL has no option {name!r} in plait")
    return given


def _compression(value: str) -> str | None:
    return {"auto": "infer", "auto_detect": "infer", "none": None}.get(value, value)


def _kind_of(path: str) -> str:
    name = path.lower().rstrip("/")
    if name.startswith(("http://", "https://")):
        name = name.partition("?")[0]
    for suffix in (".gz", ".bz2", ".zst", ".xz", ".gzip", ".lz4"):
        name = name.removesuffix(suffix)
    for kind, suffixes in _SUFFIXES.items():
        if name.endswith(suffixes):
            return kind
    raise UnsupportedError(
        f"{path!r}: the name does not tell the format; use read_parquet, read_csv or read_json: "
        f"FROM read_csv('{path}')"
    )


_SUFFIXES = {
    "parquet": (".parquet", ".parq", ".pq"),
    "csv": (".csv", ".tsv", ".tbl", ".txt"),
    "json": (".json", ".jsonl", ".ndjson"),
    "ipc": (".arrow", ".feather", ".ipc"),
}


def _sql_csv_options(options: dict[str, Any], config: Config) -> dict[str, Any]:
    """DuckDB's names for CSV options as those of plait's reader."""
    given: dict[str, Any] = {"blocksize": config.get("csv.blocksize")}
    for name, value in options.items():
        match name:
            case "delim" | "sep" | "delimiter":
                given["sep"] = value
            case "header":
                given["header"] = 0 if value else None
            case "quote":
                given["quotechar"] = value or None
            case "escape":
                doubled = value == options.get("quote", '"')  # a quote is written twice
                given["escapechar"] = None if doubled else value or None
            case "nullstr":
                given["na_values"] = value
            case "skip":
                given["skiprows"] = value
            case "compression":
                given[name] = _compression(value)
            case "decimal_separator":
                given["decimal"] = value
            case "all_varchar":
                given |= {"dtype": "VARCHAR"} if value else {}
            case "types" | "dtypes" | "column_types":
                given["dtype"] = value
            case "columns":
                if "header" not in options:
                    raise UnsupportedError("read_csv: columns={...} needs header=true or false too")
                given |= {"names": list(value), "dtype": value}
            case "names" | "encoding" | "comment" | "thousands":
                given[name] = value
            case "auto_detect" | "sample_size" | "parallel" | "buffer_size" | "max_line_size":
                pass  # how DuckDB reads, not what
            case _:
                raise UnsupportedError(f"read_csv in SQL has no option {name!r} in plait")
    return given
