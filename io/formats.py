"""Which source reads a path: `FROM 'sales.parquet'`, `FROM 'logs/*.csv.gz'`, a folder of parts.

Files named in SQL are read as DuckDB reads them: dates are guessed, only empty text is NULL. The
constructors called by name (`read_csv` of a frame API) keep pandas' rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from plait.errors import ReadError
from plait.io.compression import without_compression
from plait.io.csv.source import CsvSource
from plait.io.filesystem import PathLike, expand, suffix_of
from plait.io.json.source import JsonSource
from plait.io.parquet.source import ParquetSource
from plait.io.store.access import Access
from plait.planner.source import TableSource

_FORMATS = {
    "parquet": "parquet",
    "parq": "parquet",
    "pq": "parquet",
    "csv": "csv",
    "tsv": "csv",
    "tbl": "csv",
    "txt": "csv",
    "json": "json",
    "ndjson": "json",
    "jsonl": "json",
}

# what DuckDB does and pandas does not
SQL_CSV: Mapping[str, Any] = {
    "sep": None,
    "infer_dates": True,
    "keep_default_na": False,
    "na_values": [""],
    "true_values": ["t", "T", "yes", "Yes", "YES"],
    "false_values": ["f", "F", "no", "No", "NO"],
}


def format_of(path: PathLike) -> str | None:
    """parquet, csv or json by a path's suffix (before one of compression); None if it has none."""
    return _FORMATS.get(suffix_of(without_compression(str(path))))


def looks_like_path(text: str) -> bool:
    """Whether a name in SQL's FROM is meant as a file rather than a table."""
    return "/" in text or "*" in text or format_of(text) is not None


def open_path(
    path: PathLike | Iterable[PathLike], storage_options: Mapping[str, Any] | Access | None = None
) -> TableSource:
    """The source of a path as SQL means it: the format is told by the suffix of the files."""
    files = expand(path, storage_options)
    formats = {format_of(f.path) for f in files}
    if len(formats) > 1:
        named = sorted(str(f) for f in formats)
        raise ReadError(f"{path} holds files of several formats: {', '.join(named)}")
    found = formats.pop()
    if found is None:
        raise ReadError(
            f"{files[0].shown}: the suffix does not tell the format; use read_parquet('...'), "
            "read_csv('...') or read_json('...')"
        )
    return OPENERS[found](path, storage_options=storage_options)


def open_csv_as_sql(path: PathLike | Iterable[PathLike], **options: Any) -> CsvSource:
    """CSV files by DuckDB's rules; options given go before these."""
    return CsvSource(path, **{**SQL_CSV, **options})


def open_json_as_sql(path: PathLike | Iterable[PathLike], **options: Any) -> JsonSource:
    """JSON files by DuckDB's rules; options given go before these."""
    return JsonSource(path, **{"infer_dates": True, **options})


OPENERS: Mapping[str, Callable[..., TableSource]] = {
    "parquet": ParquetSource,
    "csv": open_csv_as_sql,
    "json": open_json_as_sql,
}
