"""Runner: optimise, plan, lower, run, collect; every step can be looked at.

The one object below Session and DataFrame. It holds the executor and the settings, no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from plait.engine import batches
from plait.engine.driver import Driver, Kept, Report, kept
from plait.engine.kernels.evaluate import constant
from plait.engine.lower import lower
from plait.errors import PlaitError
from plait.planner.expr import Expr, Literal
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.pipeline import optimize
from plait.planner.optimizer.rule import RuleContext
from plait.planner.physical.planner import Settings, plan_step
from plait.planner.physical.stages import Stage
from plait.planner.schema import Schema
from plait.scheduler.events import Observer
from plait.scheduler.executor import Executor
from plait.scheduler.graph import TaskGraph


def fold(expr: Expr) -> Literal | None:
    """The value of a constant expression; None if it raises, so that running it tells the user."""
    try:
        return constant(expr)
    except (PlaitError, pa.ArrowException, ArithmeticError, ValueError):
        return None


@dataclass
class Runner:
    """Runs plans on an executor."""

    executor: Executor
    disabled_rules: tuple[str, ...] = ()
    broadcast_bytes: int = 512 << 20
    observe: Observer | None = None

    @property
    def settings(self) -> Settings:
        """What physical planning depends on."""
        return Settings(workers=self.executor.workers, broadcast_bytes=self.broadcast_bytes)

    def optimize(self, plan: LogicalPlan) -> LogicalPlan:
        """The plan after all rules."""
        return optimize(plan, RuleContext(fold=fold), disabled=self.disabled_rules)

    def stages(self, plan: LogicalPlan) -> tuple[Stage, ...]:
        """All stages as planned from estimates alone; running may choose otherwise."""
        return plan_step(self.optimize(plan), self.settings, {}, adaptive=False).stages

    def task_graph(self, plan: LogicalPlan) -> TaskGraph:
        """The task graph of those stages."""
        return lower(self.stages(plan), {}).graph

    def run(self, plan: LogicalPlan) -> tuple[list[pa.RecordBatch], Report]:
        """The plan's batches, in order, in their encodings, and what it took."""
        driver = Driver(self.executor, self.settings, self.observe)
        result = driver.run(self.optimize(plan))
        with kept(self.executor, result) as parts:
            return [b for part in parts for b in part if b.num_rows], driver.report

    def execute(self, plan: LogicalPlan) -> pa.Table:
        """The plan's rows as a table of the plan's schema."""
        rows, _ = self.run(plan)
        return as_table(rows, plan.schema)

    def keep(self, plan: LogicalPlan) -> tuple[Kept, Report]:
        """Run, and leave the result with the executor."""
        driver = Driver(self.executor, self.settings, self.observe)
        return driver.run(self.optimize(plan)), driver.report


def as_table(rows: Sequence[pa.RecordBatch], schema: Schema) -> pa.Table:
    """Batches without their encodings, as one table."""
    target = schema.to_arrow()
    if not len(schema):
        count = sum(b.num_rows for b in rows)
        return pa.table({"#": pa.nulls(count)}).select([])
    plain: list[Any] = [batches.to_logical(b, schema).cast(target) for b in rows]
    return pa.Table.from_batches(plain, schema=target)
