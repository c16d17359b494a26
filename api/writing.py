"""Frames and queries written to files: what users may ask for, as options of the writers.

`to_parquet`, `to_csv` and `to_json` know the options of pandas' methods, those of Dask's where
pandas has none, and the writers' own; COPY knows DuckDB's. docs/writing.md lists them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from plait import reshape
from plait.errors import PlanError, UnsupportedError
from plait.frame import Frame, Labelled, Runner, check_unique
from plait.io.formats import format_of
from plait.io.store.access import split_url
from plait.planner import builder
from plait.planner.expr import SortKey
from plait.planner.logical import LogicalPlan
from plait.planner.writing import write_options

_MODES = {"w": "overwrite", "x": "error", "a": "append"}  # of pandas
_COPY_NAMES = {
    "append": "mode",
    "delim": "sep",
    "delimiter": "sep",
    "dateformat": "date_format",
    "escape": "escapechar",
    "kv_metadata": "metadata",
    "null": "na_rep",
    "nullstr": "na_rep",
    "overwrite": "mode",
    "overwrite_or_ignore": "mode",
    "partition_by": "partition_on",
    "quote": "quotechar",
    "timestampformat": "timestamp_format",
    "write_partition_columns": "keep_partition_columns",
}
# plait does these always, whatever is asked
_COPY_ALWAYS = ("preserve_order", "return_files", "use_tmp_file")


def write(frame: Frame, path: Any, format_: str, options: Mapping[str, Any]) -> Any:
    """Write files; gives a pandas frame of path, rows and bytes of each."""
    if path is None:
        raise UnsupportedError(
            f"to_{format_} needs a path; for a text use compute().to_{format_}()"
        )
    given = {k: v for k, v in options.items() if v is not None or k == "compression"}
    rows = _rows(frame, format_, given)
    if "partition_cols" in given:
        given["partition_on"] = given.pop("partition_cols")
    given["mode"] = _MODES.get(given.get("mode", "x"), given.get("mode"))
    if format_ == "json":
        _as_pandas_json(given)
    elif format_ == "csv" and "date_format" in given:
        given.setdefault("timestamp_format", given["date_format"])
    elif format_ == "parquet" and given.pop("engine", "auto") not in ("auto", "pyarrow"):
        raise UnsupportedError("Parquet is written by pyarrow: leave engine= out")
    text = str(path)
    if "single_file" not in given:
        looks_single = format_of(text) == format_ and not given.get("partition_on")
        given["single_file"] = looks_single and given["mode"] != "append"
    return frame.runner.write(plan(rows, text, format_, given, frame.runner)).to_pandas()


def plan(
    rows: LogicalPlan, path: str, format_: str, options: Mapping[str, Any], runner: Runner
) -> LogicalPlan:
    """The plan of a write; secrets among the options and in the URL become a reference."""
    given = {k: v for k, v in options.items() if k != "single_file" or v}
    access = runner.access(given.pop("storage_options", None))
    if "://" in path:
        path, access = split_url(path, access)
    made = dict(write_options(rows, given))
    made["storage_options"] = access
    return builder.write(rows, path, format_, tuple(sorted(made.items())))


def copy_options(options: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """COPY's options as the writers know them; one file unless asked otherwise."""
    found: dict[str, Any] = {}
    asked = {key: value for key, value in options if key not in _COPY_ALWAYS}
    folder = bool(asked.pop("per_thread_output", False)) or bool(asked.get("partition_by"))
    for key, value in asked.items():
        match key:
            case "overwrite" | "append":
                if value:
                    if "mode" in found:
                        raise PlanError("COPY takes one of OVERWRITE and APPEND")
                    found["mode"] = key
            case "overwrite_or_ignore":
                if value and folder:
                    raise UnsupportedError(
                        "OVERWRITE_OR_IGNORE would leave files of an earlier COPY between the new "
                        "ones; write OVERWRITE or APPEND"
                    )
                found["mode"] = "overwrite" if value else "error"
            case "partition_by":
                found["partition_on"] = [value] if isinstance(value, str) else value
            case "escape":
                if value not in ("", asked.get("quote", '"')):
                    found |= {"escapechar": value, "doublequote": False}
            case "delimiter" | "delim" | "sep":
                found["sep"] = "\t" if value == "\\t" else value
            case "force_quote":
                found[key] = True if value == "*" else value
            case "compression":
                found[key] = "infer" if str(value).startswith("auto") else value
            case _:
                found[_COPY_NAMES.get(key, key)] = value
    found["single_file"] = not folder
    return found


def _rows(frame: Frame, format_: str, given: dict[str, Any]) -> LogicalPlan:
    """The columns to be written under their labels; takes the options that say which."""
    wanted, keys = given.pop("columns", None), given.pop("sort_by", None)
    asked, label = given.pop("index", None), given.pop("index_label", None)
    frame, index = _index(frame, asked, label, format_)
    columns = frame.columns
    if wanted is not None:
        by_label = {c.label: c for c in columns}
        columns = tuple(by_label.get(w) or Labelled(w, frame.name_of(w)) for w in wanted)
    header = given.get("header", True)
    if not isinstance(header, bool):
        if len(header) != len(columns):
            raise PlanError(f"header has {len(header)} names for {len(columns)} columns")
        given["header"] = [*(str(level.label) for level in index), *header]
    columns = (*index, *columns)
    check_unique([str(c.label) for c in columns])
    rows = builder.project(frame.plan, [(str(c.label), frame.expr(c.name)) for c in columns])
    if keys is None:
        return rows
    names = [keys] if isinstance(keys, str) else keys
    return builder.sort(rows, [SortKey(builder.column(rows, str(name))) for name in names])


def _index(
    frame: Frame, asked: bool | None, label: Hashable | None, format_: str
) -> tuple[Frame, tuple[Labelled, ...]]:
    """The levels of the index that are to be written: by default those that have a name."""
    if asked is False:
        return frame, ()
    if asked is None and label is None:
        return frame, tuple(level for level in frame.index if level.label is not None)
    if not frame.index:
        numbered = reshape.reset_index(frame, None, False, "__index_level_0__")
        levels = numbered.columns[:1]
        frame = replace(numbered, columns=numbered.columns[1:])
    else:
        levels = frame.index
    given = [label] if isinstance(label, str) or label is None else list(label)  # type: ignore[call-overload]
    if label is not None and len(given) != len(levels):
        raise PlanError(f"index_label has {len(given)} names for {len(levels)} levels")
    named = []
    for i, level in enumerate(levels):
        unnamed = level.label in (None, "__index_level_0__")
        found = "" if format_ == "csv" and not i else f"__index_level_{i}__"
        chosen = given[i] if label is not None else (found if unnamed else level.label)
        named.append(Labelled(chosen, level.name))
    return frame, tuple(named)


def _as_pandas_json(given: dict[str, Any]) -> None:
    """Take pandas' options of JSON; lines are the default here."""
    if given.pop("orient", "records") != "records":
        raise UnsupportedError("to_json writes orient='records'; compute() first for others")
    if given.pop("date_format", "iso") != "iso":
        raise UnsupportedError("to_json writes dates as texts (date_format='iso')")
    if not given.pop("lines", True):
        given["array"] = True
