"""Compute: filter a batch, then work out columns.

Conjuncts are tried one after the other; once few rows are left the batch is cut down before the
next one, so that the later conditions see few rows. Those that may raise come last, and see only
the rows that the others let through.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import batches
from plait.engine.kernels.evaluate import Evaluator
from plait.io.reader import RowTest
from plait.planner.expr import Expr, columns_of, conjuncts
from plait.planner.physical.operators import Compute
from plait.planner.risk import may_raise
from plait.planner.tree import per_node
from plait.scheduler.context import current_context

_CUT_BELOW = 0.5  # of the rows left: cut the batch now rather than at the end


def compute(op: Compute, batch: pa.RecordBatch) -> pa.RecordBatch | None:
    """The rows of one batch; None when no row is left."""
    if op.predicate is not None:
        kept = filter_batch(op, batch)
        if kept is None:
            return None
        batch = kept
    if op.columns is None:
        return batch
    evaluator = Evaluator(batch)
    columns = [evaluator.array(e) for _, e in op.columns]
    return batches.make([n for n, _ in op.columns], columns, batch.num_rows)


@per_node  # every task asks
def row_test(predicate: Expr) -> RowTest | None:
    """What a scan below a filter may ask before it decodes columns that the filter does not need.

    Conjuncts that may raise are left to the filter, which knows the rows they are meant for.
    """
    parts = [p for p in conjuncts(predicate) if columns_of(p) and not may_raise(p)]
    if not parts:
        return None

    def passes(batch: pa.RecordBatch) -> bool:
        current_context().check_cancelled()
        evaluator = Evaluator(batch)
        mask: pa.Array | None = None
        for part in parts:
            true = evaluator.array(part)
            mask = true if mask is None else pc.and_kleene(mask, true)
            if not pc.any(mask).as_py():
                return False
        return True

    return RowTest(columns_of(parts), passes)


def filter_batch(op: Compute, batch: pa.RecordBatch) -> pa.RecordBatch | None:
    """The rows for which the predicate is true, with the columns that are still needed."""
    parts = sorted(conjuncts(op.predicate), key=may_raise)
    needed = None if op.columns is None else columns_of([e for _, e in op.columns])
    mask: pa.Array | None = None
    evaluator = Evaluator(batch)
    for number, part in enumerate(parts):
        true = evaluator.array(part)
        mask = true if mask is None else pc.and_kleene(mask, true)
        left = pc.sum(mask).as_py() or 0
        if not left:
            return None
        after = parts[number + 1 :]
        if left == batch.num_rows:
            mask = None
        elif not after or left < _CUT_BELOW * batch.num_rows or may_raise(after[0]):
            if needed is not None:
                keep = needed | columns_of(after)
                batch = batch.select([n for n in batch.schema.names if n in keep])
            batch = batches.filter_rows(batch, mask)
            mask, evaluator = None, Evaluator(batch)
    return batch
