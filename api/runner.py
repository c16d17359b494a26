"""Runner: optimise, plan, lower, run, collect; every step can be looked at.

The one object below Session and DataFrame. It holds the executor and the settings, no data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from plait import explain
from plait.engine import batches
from plait.engine.driver import Driver, Kept, Report, kept
from plait.engine.kernels.evaluate import constant
from plait.engine.lower import lower, task_group
from plait.engine.memory import broadcast_bytes, result_bytes, task_bytes
from plait.engine.prepared import Prepared
from plait.errors import PlaitError, PlanError
from plait.io.reader import shrink_cache
from plait.io.store.access import Access, carried
from plait.io.write.staging import staged
from plait.persisting import kept_here, kept_there
from plait.plan_cache import Copies, PlanCache, keepable
from plait.planner import builder
from plait.planner.estimate import Estimator
from plait.planner.explain import explain as plan_text
from plait.planner.expr import Expr, Literal
from plait.planner.interpreter import plannable
from plait.planner.logical import LogicalPlan, Write
from plait.planner.optimizer.pipeline import optimize
from plait.planner.optimizer.rule import RuleContext
from plait.planner.physical.planner import Settings, plan_step
from plait.planner.physical.stages import Stage
from plait.planner.physical.stages import text as stages_text
from plait.planner.schema import Schema
from plait.planner.traits import traits
from plait.planner.tree import intern
from plait.scheduler.draw import task_graph_svg
from plait.scheduler.events import Observer
from plait.scheduler.executor import Executor
from plait.scheduler.graph import TaskGraph


def fold(expr: Expr) -> Literal | None:
    """The value of a constant expression; None if it raises, so that running it tells the user."""
    try:
        return constant(expr)
    except (PlaitError, pa.ArrowException, ArithmeticError, ValueError):
        return None


PlanKey = tuple[LogicalPlan, Settings, tuple[str, ...]]


@dataclass
class Runner:
    """Runs plans on an executor."""

    executor: Executor
    disabled_rules: tuple[str, ...] = ()
    broadcast_bytes: int = 512 << 20
    cache_bytes: int = 0  # of decoded columns that are kept for later queries
    shared_bytes: int = 0  # if none are: of those that a plan reads again, while it runs
    progress: Callable[[], AbstractContextManager[Observer | None]] = nullcontext
    access: Callable[[Mapping[str, Any] | None], Access] = Access.of
    plans: PlanCache[PlanKey, Prepared] = field(default_factory=PlanCache)
    tier: Callable[[], str | None] = lambda: None  # that of the process's settings

    @property
    def settings(self) -> Settings:
        """What physical planning depends on."""
        workers, limit = self.executor.workers, self.executor.memory_limit
        if limit is None:
            return Settings(
                workers=workers,
                broadcast_bytes=self.broadcast_bytes,
                cache_bytes=self.cache_bytes,
                shared_bytes=self.shared_bytes,
                tier=self.tier(),
            )
        return Settings(
            workers=workers,
            broadcast_bytes=min(self.broadcast_bytes, broadcast_bytes(limit)),
            task_bytes=task_bytes(limit, self.executor.threads),
            result_bytes=result_bytes(limit) * max(1, workers // self.executor.threads),
            cache_bytes=min(self.cache_bytes, result_bytes(limit)),
            shared_bytes=min(self.shared_bytes, result_bytes(limit)),
            tier=self.tier(),
        )

    def optimize(self, plan: LogicalPlan) -> LogicalPlan:
        """The plan after all rules."""
        return self._optimize(plan)[0]

    def _optimize(self, plan: LogicalPlan) -> tuple[LogicalPlan, Estimator]:
        context = RuleContext(fold=fold)
        with plannable():
            optimized = intern(optimize(plan, context, disabled=self.disabled_rules))
        return optimized, context.estimator

    def _prepare(self, plan: LogicalPlan) -> Prepared:
        """The plan optimised, with what earlier runs of an equal one planned."""
        settings = self.settings
        with plannable():
            # what `now()` is put in when a plan is optimised
            if not keepable(plan) or traits(plan).clock:
                optimized, estimator = self._optimize(plan)
                return Prepared(optimized, settings, estimator)
            known = self.plans.get((plan, settings, self.disabled_rules))
            if known is None:
                copies = Copies()
                plan = copies.of(plan)
                optimized, estimator = self._optimize(plan)
                known = Prepared(optimized, settings, estimator)
                self.plans.put((plan, settings, self.disabled_rules), known, copies.originals)
            return known

    def stages(self, plan: LogicalPlan) -> tuple[Stage, ...]:
        """All stages as planned from estimates alone; running may choose otherwise."""
        optimized, estimator = self._optimize(plan)
        step = plan_step(optimized, self.settings, {}, adaptive=False, estimator=estimator)
        return step.stages

    def task_graph(self, plan: LogicalPlan) -> TaskGraph:
        """The task graph of those stages."""
        stages = self.stages(plan)
        return lower(stages, {stage.id: task_group(stage) for stage in stages}, {}).graph

    def run(self, plan: LogicalPlan) -> tuple[list[pa.RecordBatch], Report]:
        """The plan's batches, in order, in their encodings, and what it took."""
        result, report = self._drive(plan)
        with kept(self.executor, result) as parts:
            return [b for part in parts for b in part if b.num_rows], report

    def _drive(self, plan: LogicalPlan) -> tuple[Kept, Report]:
        """Run a plan; its rows stay where they were made."""
        started = time.perf_counter()
        prepared = self._prepare(plan)
        planning = time.perf_counter() - started
        with self.progress() as observe:
            driver = Driver(self.executor, observe)
            driver.report.planning = planning
            try:
                with nullcontext() if self.executor.shares_memory else carried():
                    return driver.run(prepared), driver.report
            finally:
                if self.shared_bytes and not self.cache_bytes:
                    shrink_cache(0)

    def execute(self, plan: LogicalPlan) -> pa.Table:
        """The plan's rows as a table of the plan's schema."""
        rows, _ = self.run(plan)
        return as_table(rows, plan.schema)

    def count(self, plan: LogicalPlan) -> int:
        """How many rows the plan gives; from footers alone where that is possible."""
        counted = builder.aggregate(plan, [], [("rows", builder.aggregate_call("count"))])
        return int(self.execute(counted).column(0)[0].as_py())

    def persist(self, plan: LogicalPlan) -> LogicalPlan:
        """Run the plan now; a plan that reads the kept rows."""
        if self.executor.shares_memory:
            rows, _ = self.run(plan)
            return kept_here(rows, plan.schema, self.executor.workers)
        result, _ = self._drive(plan)
        return kept_there(result, plan.schema, self.executor)

    def write(self, plan: LogicalPlan) -> pa.Table:
        """Run a Write plan: a row of path, rows and bytes for each file."""
        assert isinstance(plan, Write)
        with staged(plan.path, plan.format, plan.options, plan.input.schema) as options:
            return self.execute(replace(plan, options=options))

    def explain(self, plan: LogicalPlan, level: str = "optimized", analyze: bool = False) -> str:
        """The plan at one level as text; with `analyze` it is run and its stages are measured."""
        if analyze:
            _, report = self.run(plan)
            return explain.report_text(report)
        match level:
            case "logical":
                return plan_text(plan, Estimator())
            case "optimized":
                return plan_text(self.optimize(plan), Estimator())
            case "stages":
                return stages_text(self.stages(plan))
            case "tasks":
                return explain.tasks_text(self.task_graph(plan))
        raise PlanError(f"Unknown level {level!r}; there are {', '.join(explain.LEVELS)}")

    def visualize(self, plan: LogicalPlan, path: str, level: str = "optimized") -> str:
        """Draw the plan at one level as SVG into a file; gives the path."""
        if not str(path).endswith(".svg"):
            raise PlanError(f"visualize draws SVG: the path is to end in .svg, not {path!r}")
        match level:
            case "logical":
                drawing = explain.plan_svg(plan)
            case "optimized":
                drawing = explain.plan_svg(self.optimize(plan))
            case "stages":
                drawing = explain.stages_svg(self.stages(plan))
            case "tasks":
                drawing = task_graph_svg(self.task_graph(plan))
            case _:
                raise PlanError(f"Unknown level {level!r}; there are {', '.join(explain.LEVELS)}")
        Path(path).write_text(drawing, encoding="utf-8")
        return str(path)


def as_table(rows: Sequence[pa.RecordBatch], schema: Schema) -> pa.Table:
    """Batches without their encodings, as one table."""
    target = schema.to_arrow()
    if not len(schema):
        count = sum(b.num_rows for b in rows)
        return pa.table({"#": pa.nulls(count)}).select([])
    plain: list[Any] = [batches.to_logical(b, schema).cast(target) for b in rows]
    return pa.Table.from_batches(plain, schema=target)
