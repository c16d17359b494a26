"""Frames as text and HTML. Nothing here computes: columns, types, estimated rows, the plan."""

from __future__ import annotations

import html
from typing import Any

import pyarrow as pa

from plait.frame import Frame
from plait.planner import types as t
from plait.planner.estimate import Estimator
from plait.planner.expr import Expr
from plait.planner.logical import LogicalPlan

_SHOWN_COLUMNS = 40
_SHOWN_LINES = 40


def pandas_dtype(dtype: pa.DataType) -> Any:
    """The pandas type of a column in which no value is missing."""
    import numpy as np
    import pandas as pd

    if t.is_string(dtype):
        return pd.StringDtype(na_value=np.nan)
    if t.is_date(dtype):
        return np.dtype("datetime64[s]")
    if t.is_timestamp(dtype) and dtype.tz is not None:
        return pd.DatetimeTZDtype(dtype.unit, dtype.tz)
    if t.is_timestamp(dtype):
        return np.dtype(f"datetime64[{dtype.unit}]")
    if t.is_duration(dtype):
        return np.dtype(f"timedelta64[{dtype.unit}]")
    if t.is_integer(dtype) or t.is_float(dtype) or dtype == t.BOOL:
        return np.dtype(dtype.to_pandas_dtype())
    return np.dtype(object)


def estimated_rows(plan: LogicalPlan) -> str:
    """How many rows a plan will give, as far as it is known: `1,234` or `about 1,200`."""
    statistics = Estimator().statistics(plan)
    if statistics.rows is None:
        return "unknown"
    rows = round(statistics.rows)
    if statistics.exact:
        return f"{rows:,}"
    digits = max(0, len(str(rows)) - 2)
    return f"about {round(rows, -digits):,}"


def _plan_text(plan: LogicalPlan) -> str:
    lines = str(plan).splitlines()
    if len(lines) > _SHOWN_LINES:
        lines = [*lines[:_SHOWN_LINES], f"... ({len(lines)} lines in all)"]
    return "\n".join(lines)


def _index_text(frame: Frame) -> str:
    if not frame.index:
        return "numbered when computed"
    return ", ".join("(unnamed)" if c.label is None else str(c.label) for c in frame.index)


def frame_text(frame: Frame) -> str:
    """What repr shows of a DataFrame."""
    lines = [
        f"<plait.DataFrame, not computed: {estimated_rows(frame.plan)} rows, "
        f"{len(frame.columns)} columns>",
        f"index: {_index_text(frame)}",
    ]
    width = max((len(str(label)) for label in frame.labels[:_SHOWN_COLUMNS]), default=0)
    for column in frame.columns[:_SHOWN_COLUMNS]:
        kind = t.sql_name(frame.expr(column.name).dtype)
        lines.append(f"  {column.label!s:<{width}}  {kind}")
    if len(frame.columns) > _SHOWN_COLUMNS:
        lines.append(f"  ... ({len(frame.columns)} columns in all)")
    return "\n".join([*lines, "plan:", _plan_text(frame.plan)])


def series_text(frame: Frame, expr: Expr, label: Any) -> str:
    """What repr shows of a Series."""
    return (
        f"<plait.Series {label!r}, {t.sql_name(expr.dtype)}, not computed: "
        f"{estimated_rows(frame.plan)} rows>\nvalue: {expr}\nplan:\n{_plan_text(frame.plan)}"
    )


def frame_html(frame: Frame) -> str:
    """What notebooks show of a DataFrame."""
    rows = "".join(
        f"<tr><td>{html.escape(str(c.label))}</td>"
        f"<td>{html.escape(t.sql_name(frame.expr(c.name).dtype))}</td></tr>"
        for c in frame.columns[:_SHOWN_COLUMNS]
    )
    more = (
        f"<tr><td colspan='2'>… {len(frame.columns)} columns in all</td></tr>"
        if len(frame.columns) > _SHOWN_COLUMNS
        else ""
    )
    return (
        f"<div><p><b>plait.DataFrame</b>, not computed: {estimated_rows(frame.plan)} rows, "
        f"{len(frame.columns)} columns; index: {html.escape(_index_text(frame))}</p>"
        f"<table><thead><tr><th>column</th><th>type</th></tr></thead><tbody>{rows}{more}</tbody>"
        f"</table><details><summary>plan</summary><pre>{html.escape(_plan_text(frame.plan))}</pre>"
        "</details></div>"
    )


def series_html(frame: Frame, expr: Expr, label: Any) -> str:
    """What notebooks show of a Series."""
    return (
        f"<div><p><b>plait.Series</b> {html.escape(repr(label))}, "
        f"{html.escape(t.sql_name(expr.dtype))}, not computed: {estimated_rows(frame.plan)} rows"
        f"</p><details><summary>plan</summary><pre>{html.escape(str(expr))}\n"
        f"{html.escape(_plan_text(frame.plan))}</pre></details></div>"
    )
