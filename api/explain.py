"""explain and visualize: a plan at each level of its way, and what running it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from plait.engine.driver import Report, StageReport
from plait.engine.metrics import OperatorMetrics
from plait.errors import PlanError
from plait.planner.estimate import Estimator
from plait.planner.explain import explain as plan_text
from plait.planner.logical import LogicalPlan
from plait.planner.physical.operators import PhysicalOp
from plait.planner.physical.stages import text as stages_text
from plait.runner import Runner
from plait.scheduler.draw import graph_svg, task_graph_svg
from plait.scheduler.graph import TaskGraph

LEVELS = ("logical", "optimized", "stages", "tasks")


def explain(runner: Runner, plan: LogicalPlan, level: str = "optimized") -> str:
    """The plan as text at one level: logical, optimized, stages or tasks."""
    if level == "logical":
        return plan_text(plan, Estimator())
    if level == "optimized":
        return plan_text(runner.optimize(plan), Estimator())
    if level == "stages":
        return stages_text(runner.stages(plan))
    if level == "tasks":
        return tasks_text(runner.task_graph(plan))
    raise PlanError(f"Unknown level {level!r}; there are {', '.join(LEVELS)}")


def tasks_text(graph: TaskGraph) -> str:
    """One line for each group of the graph, with its tasks and what they take."""
    lines = []
    for number, group in enumerate(graph.groups):
        tasks = [t for t, g in enumerate(graph.task_groups) if g == number]
        needs = {graph.task_groups[d] for t in tasks for d in graph.dependencies[t]}
        source = f" from {', '.join(graph.groups[n].name for n in sorted(needs))}" if needs else ""
        outputs = f" x {group.outputs} parts" if group.outputs > 1 else ""
        lines.append(f"{group.name}: {len(tasks)} tasks{outputs}{source}")
    return "\n".join(lines)


def analyze(runner: Runner, plan: LogicalPlan) -> str:
    """Run the plan; its stages with rows, bytes and seconds of each operator."""
    _, report = runner.run(plan)
    parts = [_stage_text(s) for s in report.stages]
    parts.append(f"planning {report.planning * 1e3:.1f} ms, running {report.running * 1e3:.1f} ms")
    return "\n".join(parts)


def _stage_text(report: StageReport) -> str:
    stage = report.stage
    estimated = "" if stage.estimated_rows is None else f" (estimated {stage.estimated_rows:,.0f})"
    origin = getattr(stage.logical, "origin", None)
    lines = [
        f"Stage {stage.id} x{report.tasks} -> {stage.output}: {report.rows:,} rows{estimated}, "
        f"{_bytes(report.bytes)}, {report.seconds * 1e3:.1f} ms"
        + (f"  [{origin}]" if origin else "")
    ]
    numbers = {id(op): n for n, op in enumerate(stage.root.walk())}
    stack: list[tuple[PhysicalOp, int]] = [(stage.root, 1)]
    while stack:
        op, depth = stack.pop()
        label = "  " * depth + op.label()
        lines.append(f"{label:<70}{_figures(op, numbers, report.operators)}")
        stack.extend((child, depth + 1) for child in reversed(op.children()))
    return "\n".join(lines)


def _figures(
    op: PhysicalOp, numbers: Mapping[int, int], metrics: Mapping[int, OperatorMetrics]
) -> str:
    own = metrics.get(numbers[id(op)])
    if own is None:
        return ""
    inputs = sum(
        metrics[numbers[id(c)]].seconds for c in op.children() if numbers[id(c)] in metrics
    )
    seconds = max(0.0, own.seconds - inputs)
    return f"  {own.rows:>12,} rows {_bytes(own.bytes):>9} {seconds * 1e3:>9.1f} ms"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def time_by_operator(report: Report) -> list[tuple[str, float]]:
    """Seconds by kind of operator over all tasks, most first."""
    totals: dict[str, float] = {}
    for stage in report.stages:
        ops = list(stage.stage.root.walk())
        numbers = {id(op): n for n, op in enumerate(ops)}
        for op in ops:
            own = stage.operators.get(numbers[id(op)])
            if own is None:
                continue
            below = (stage.operators.get(numbers[id(c)]) for c in op.children())
            seconds = own.seconds - sum(m.seconds for m in below if m is not None)
            name = type(op).__name__
            totals[name] = totals.get(name, 0.0) + max(0.0, seconds)
    return sorted(totals.items(), key=lambda item: -item[1])


def visualize(runner: Runner, plan: LogicalPlan, path: str, level: str = "optimized") -> str:
    """Draw the plan (or, with level "tasks", the task graph) as SVG; gives the path."""
    if not path.endswith(".svg"):
        raise PlanError(f"visualize draws SVG: give a path that ends in .svg, not {path!r}")
    Path(path).write_text(_svg(runner, plan, level), encoding="utf-8")
    return path


def _svg(runner: Runner, plan: LogicalPlan, level: str) -> str:
    if level == "tasks":
        return task_graph_svg(runner.task_graph(plan))
    if level == "stages":
        stages = runner.stages(plan)
        edges = [(i, s.id) for s in stages for i in s.inputs]
        return graph_svg({s.id: str(s) for s in stages}, edges)
    chosen = plan if level == "logical" else runner.optimize(plan)
    nodes: Sequence[LogicalPlan] = list(dict.fromkeys(chosen.walk()))
    numbers = {node: n for n, node in enumerate(nodes)}
    edges = [(numbers[c], numbers[n]) for n in nodes for c in n.children()]
    return graph_svg({numbers[n]: n.label() for n in nodes}, edges)
