"""Texts and drawings of plans, stages and task graphs, and of what running them took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plait.engine.driver import Report, StageReport
from plait.engine.metrics import OperatorMetrics
from plait.planner.logical import LogicalPlan
from plait.planner.physical.operators import PhysicalOp
from plait.planner.physical.stages import Stage
from plait.scheduler.draw import graph_svg
from plait.scheduler.graph import TaskGraph

LEVELS = ("logical", "optimized", "stages", "tasks")


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


def report_text(report: Report) -> str:
    """The stages of a run with rows, bytes and seconds of each operator."""
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
        + (f", {_bytes(report.spilled)} spilled" if report.spilled else "")
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
    spilled = f" {_bytes(own.spilled):>9} spilled" if own.spilled else ""
    tiers = f"  ({'; '.join(own.tiers)})" if own.tiers else ""
    figures = f"{own.rows:>12,} rows {_bytes(own.bytes):>9} {seconds * 1e3:>9.1f} ms"
    return f"  {figures}{spilled}{tiers}"


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


def plan_svg(plan: LogicalPlan) -> str:
    """A logical plan as a drawing; equal sub-plans are one box."""
    nodes: Sequence[LogicalPlan] = list(dict.fromkeys(plan.walk()))
    numbers = {node: n for n, node in enumerate(nodes)}
    edges = [(numbers[c], numbers[n]) for n in nodes for c in n.children()]
    return graph_svg({numbers[n]: n.label() for n in nodes}, edges)


def stages_svg(stages: Sequence[Stage]) -> str:
    """Stages and what they read from each other as a drawing."""
    edges = [(i, s.id) for s in stages for i in s.inputs]
    return graph_svg({s.id: str(s) for s in stages}, edges)
