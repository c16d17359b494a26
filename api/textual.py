"""Arrow tables as text for people and pipes: an aligned table, CSV, JSON lines, Markdown.

Without pandas: a result of a few rows should not cost its import.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any, TextIO

import pyarrow as pa

_WIDEST = 60


def _text(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}" if math.isfinite(value) else str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _rows(table: pa.Table) -> list[list[Any]]:
    columns = [column.to_pylist() for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)] if columns else []


def write_csv(table: pa.Table, out: TextIO) -> None:
    """Comma-separated values with a header; NULL is empty."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=10_000):
        for row in _rows(pa.Table.from_batches([batch])):
            writer.writerow(["" if v is None else _text(v) for v in row])


def write_json(table: pa.Table, out: TextIO) -> None:
    """One JSON object a line; decimals are numbers, dates ISO 8601 texts, NaN is null."""
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            out.write(json.dumps(_plain(row), ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, str | int | float) else str(value)


def write_markdown(table: pa.Table, out: TextIO) -> None:
    """A Markdown table."""
    marks = ["---:" if _is_number(f.type) else "---" for f in table.schema]
    lines = [table.column_names, marks, *([_text(v) for v in row] for row in _rows(table))]
    for line in lines:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in line)
        out.write(f"| {' | '.join(cells)} |\n")


def write_table(table: pa.Table, out: TextIO, max_rows: int) -> None:
    """An aligned table; of a long one the first and last rows."""
    count = table.num_rows
    if max_rows and count > max_rows:
        first = (max_rows + 1) // 2
        top = _rows(table.slice(0, first))
        bottom = _rows(table.slice(count - (max_rows - first)))
        rows = [*top, ["…"] * table.num_columns, *bottom]
    else:
        rows = _rows(table)
    cells = [[_short(_text(v)) for v in row] for row in rows]
    right = [_is_number(f.type) for f in table.schema]
    names = [_short(name) for name in table.column_names]
    widths = [max([len(n), *(len(row[i]) for row in cells)]) for i, n in enumerate(names)]

    def line(row: list[str]) -> str:
        aligned = (
            cell.rjust(w) if r else cell.ljust(w)
            for cell, w, r in zip(row, widths, right, strict=True)
        )
        return "  ".join(aligned).rstrip()

    out.write(line(names) + "\n")
    out.write("  ".join("─" * w for w in widths) + "\n")
    for row in cells:
        out.write(line(row) + "\n")
    out.write(f"({count:,} row{'' if count == 1 else 's'})\n")


def _short(text: str) -> str:
    text = text.replace("\n", "⏎")
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
