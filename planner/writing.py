"""The options of a write as plans hold them, checked against the columns that are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.types as pat

from plait.errors import ColumnNotFoundError, PlanError
from plait.planner.logical import LogicalPlan


def write_options(plan: LogicalPlan, options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The options of writing the plan's rows; the columns of `partition_on` by their own names."""
    given = {name: _frozen(value) for name, value in options.items()}
    wanted = given.get("partition_on")
    if not wanted:
        given.pop("partition_on", None)
    else:
        wanted = (wanted,) if isinstance(wanted, str) else wanted
        keys = tuple(_column(plan, name) for name in wanted)
        if len(set(keys)) < len(keys):
            raise PlanError(f"partition_on names a column twice: {', '.join(keys)}")
        if len(keys) == len(plan.schema) and not given.get("keep_partition_columns"):
            raise PlanError(
                "partition_on has all columns, so that none is left for the files; leave one out, "
                "or pass keep_partition_columns=True (in COPY: WRITE_PARTITION_COLUMNS)"
            )
        for key in keys:
            kind = plan.schema[key].type
            if pat.is_nested(kind) or pat.is_binary(kind):
                raise PlanError(f"partition_on: values of {key!r} ({kind}) cannot name folders")
        given["partition_on"] = keys
    return tuple(sorted(given.items()))


def _column(plan: LogicalPlan, name: str) -> str:
    """The plan's name of a column; in SQL case does not matter."""
    names = plan.schema.names
    found = [n for n in names if n == name] or [n for n in names if n.casefold() == name.casefold()]
    if len(found) != 1:
        raise ColumnNotFoundError(name, names)
    return found[0]


def _frozen(value: Any) -> Any:
    """Options as plans hold them: without lists."""
    if isinstance(value, Mapping):
        return tuple((k, _frozen(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return value
