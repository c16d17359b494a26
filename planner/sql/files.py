"""Files named in FROM: 'x.parquet', "y.csv", read_csv('z.csv', delim='|')."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlglot import expressions as exp

from plait.planner.sql.constants import value
from plait.planner.sql.mistakes import Source

_SUFFIX = re.compile(
    r"\.(parquet|pq|csv|tsv|txt|json|jsonl|ndjson|arrow|feather|ipc)(\.(gz|gzip|zst|bz2|xz|lz4))?$",
    re.IGNORECASE,
)

_READERS = {
    "read_parquet": "parquet",
    "parquet_scan": "parquet",
    "read_csv": "csv",
    "read_csv_auto": "csv",
    "read_json": "json",
    "read_json_auto": "json",
    "read_ndjson": "json",
    "read_ndjson_auto": "json",
    "read_ndjson_objects": "json",
    "read_ipc": "ipc",
    "read_arrow": "ipc",
    "read_feather": "ipc",
}


@dataclass(frozen=True)
class FileReference:
    """One or several files, and the options written beside them; `alias` is its table name."""

    paths: tuple[str, ...]
    options: tuple[tuple[str, Any], ...]
    alias: str

    @property
    def path(self) -> str | list[str]:
        """As `open_file` takes it: one path, or a list of several."""
        return self.paths[0] if len(self.paths) == 1 else list(self.paths)


def looks_like_file(name: str) -> bool:
    """Whether a quoted name is that of a file rather than of a table."""
    return "/" in name or "\\" in name or "*" in name or _SUFFIX.search(name) is not None


def file_of(node: exp.Table, source: Source) -> FileReference | None:
    """The files that a table of a FROM clause means; None if it is no file."""
    what = node.this
    if isinstance(what, exp.Identifier):
        if node.args.get("db") is not None or not looks_like_file(what.name):
            return None
        if not what.quoted:
            return None
        stem = re.split(r"[/\\]", what.name)[-1].split(".")[0]
        return FileReference((what.name,), (), stem or what.name)
    if isinstance(what, exp.Literal) and what.is_string:
        stem = re.split(r"[/\\]", str(what.this))[-1].split(".")[0]
        return FileReference((str(what.this),), (), stem)
    name = reader_name(what)
    if name is None:
        return None
    return _call(what, name, source)


def reader_name(node: exp.Expr | None) -> str | None:
    """read_csv, read_parquet, ...: the name of a table function that reads files."""
    if isinstance(node, exp.ReadCSV):
        return "read_csv"
    if isinstance(node, exp.ReadParquet):
        return "read_parquet"
    if isinstance(node, exp.Anonymous) and node.name.lower() in _READERS:
        return node.name.lower()
    return None


def _call(node: exp.Expr, name: str, source: Source) -> FileReference:
    given = list(node.expressions)
    if isinstance(node.this, exp.Expr):
        given.insert(0, node.this)
    paths: list[str] = []
    options: dict[str, Any] = {"format": _READERS[name]}
    for number, item in enumerate(given):
        if isinstance(item, exp.EQ | exp.PropertyEQ | exp.Kwarg):
            options[item.this.name.lower()] = value(source, item.expression, item.this.name)
        elif number == 0:
            found = value(source, item, name)
            paths = found if isinstance(found, list) else [found]
        else:
            raise source.error(f"{name} takes one path or list of paths, then name=value", item)
    if not paths or not all(isinstance(p, str) for p in paths):
        raise source.error(f"{name} needs the path of a file", node)
    return FileReference(tuple(paths), tuple(options.items()), name)
