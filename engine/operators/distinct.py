"""Distinct: one row for each different value of some columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.kernels.grouping import Groups, group, single_group
from plait.engine.kernels.views import Ints
from plait.errors import PlanError


def distinct(
    batch: pa.RecordBatch, on: Sequence[str] | None = None, keep: str = "first"
) -> pa.RecordBatch:
    """The rows that are the first (or last, or only: "none") of their values, in input order."""
    names = batch.schema.names if on is None else on
    arrays = [batches.column(batch, name) for name in names]
    groups = group(arrays) if arrays else single_group(batch.num_rows)
    rows = _kept(groups, keep)
    return batch if len(rows) == batch.num_rows else batches.take(batch, pa.array(rows))


def _kept(groups: Groups, keep: str) -> Ints:
    if keep == "first":
        return groups.first
    if keep == "last":
        last = np.empty(groups.count, np.int64)
        last[groups.codes] = np.arange(len(groups.codes))  # the last assignment stays
        return np.sort(last[: groups.count if len(groups.codes) else 0])
    if keep == "none":
        sizes = np.bincount(groups.codes, minlength=groups.count)
        return np.flatnonzero(sizes[groups.codes] == 1)
    raise PlanError(f"keep is first, last or none, not {keep!r}")
