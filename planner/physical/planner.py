"""Logical plan to stages: algorithms, exchanges and the number of partitions.

Pure: it reads estimates, and what the driver measured (`Finished`). Planning goes in *steps*. A
step holds the stages that can run now; when a choice depends on the size of a join's build side,
or a LIMIT may be met early, the step ends there (`targets`), the driver runs it, measures, and
asks again. With `adaptive=False` all stages are planned at once from estimates, as explain shows.

Each `_lower_*` returns a `Piece`: the operator tree of the stage being grown and its number of
partitions. An exchange cuts: the tree becomes a Stage, and a ReadStage starts the next one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plait.planner.estimate import Estimator, field_width
from plait.planner.expr import AggregateCall, Column, Expr, columns_of
from plait.planner.interpreter import deep_trees
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    MapPartitions,
    Named,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Values,
    Window,
    Write,
)
from plait.planner.optimizer.share_subplans import shared_filters
from plait.planner.physical import joins
from plait.planner.physical.decompose import decompose
from plait.planner.physical.first_rows import rows_wanted
from plait.planner.physical.operators import (
    ApplyFunction,
    CommitFiles,
    Compute,
    GroupRows,
    LimitRows,
    PhysicalOp,
    ReadStage,
    ReadValues,
    ScanSplits,
    WriteFiles,
)
from plait.planner.physical.pieces import Piece, compute, fresh_name, is_plain_scan, keep
from plait.planner.physical.places import lower_distinct, lower_row_number, lower_window
from plait.planner.physical.sorts import lower_sort
from plait.planner.physical.stages import Output, Stage
from plait.planner.predicates import can_match
from plait.planner.schema import Schema
from plait.planner.source import Split
from plait.planner.statistics import Statistics
from plait.planner.tree import per_node


@dataclass(frozen=True)
class Settings:
    """What the choices depend on besides the plan."""

    workers: int = 2
    broadcast_bytes: int = 512 << 20
    gather_groups: int = 200_000  # more estimated groups than this are merged in several tasks
    gather_rows: int = 500_000  # more than this are sorted, windowed, ... in several tasks
    # if memory is bounded: what an exchange should give one task, what all results may take
    task_bytes: int | None = None
    result_bytes: int | None = None
    tier: str | None = None  # what runs pipelines (`compile.tier`); None: as the process is set
    cache_bytes: int = 0  # that decoded columns of files may take
    # without such a cache: those that a plan reads more than once, while it runs
    shared_bytes: int = 0


@dataclass(frozen=True)
class Finished:
    """A stage that ran: where its rows are and what was measured."""

    stage: int
    schema: Schema
    partitions: int
    statistics: Statistics


@dataclass(frozen=True)
class Step:
    """Stages to run now, inputs first. `targets` are to be measured, by their logical plan.

    `final` is the stage that gives the answer, None if another step follows.
    """

    stages: tuple[Stage, ...]
    targets: Mapping[LogicalPlan, int]
    final: int | None


Need = frozenset[str]

_MOST_TASKS = 64  # after an exchange: more cost more than they share out,
_MOST_TASKS_TO_FIT = 512  # unless it takes more for each to fit into memory
_FOLDERS = 32  # of a partitioned write that one task writes


@dataclass
class StagePlanner:
    """Plans one step; made anew for each."""

    settings: Settings
    finished: Mapping[LogicalPlan, Finished]
    adaptive: bool
    next_id: int
    estimator: Estimator
    stages: list[Stage] = field(default_factory=list)
    pending: dict[LogicalPlan, int] = field(default_factory=dict)
    shared: dict[LogicalPlan, Piece | None] = field(default_factory=dict)
    repeated: frozenset[LogicalPlan] = frozenset()
    shared_stages: dict[LogicalPlan, int] = field(default_factory=dict)
    read_again: Mapping[str, frozenset[str]] = field(default_factory=dict)
    wanted: dict[LogicalPlan, int] = field(default_factory=dict)  # of windows: rows of each group

    def plan(self, root: LogicalPlan) -> Step:
        """The next step towards the rows of `root`."""
        counts = Counter(root.walk())
        self.repeated = frozenset(plan for plan, count in counts.items() if count > 1)
        self.shared = dict.fromkeys(p for p in self.repeated if _costs_more_than_a_scan(p))
        if self.repeated:
            self.shared |= dict.fromkeys(shared_filters(root, self.estimator))
        if self.settings.shared_bytes and not self.settings.cache_bytes:
            self.read_again = _read_again(root)
        piece = self.lower(root, frozenset(root.schema.names))
        if self.pending:
            needed = self._needed_for(self.pending.values())
            running = {s.id for s in needed}
            # what several places read is kept for the later steps
            kept = {p: i for p, i in self.shared_stages.items() if i in running}
            return Step(needed, {**kept, **self.pending}, None)
        piece = self.in_order(piece, root.schema)
        final = self.cut(piece, Output(), root)
        return Step(self._needed_for([final]), {}, final)

    # ------------------------------------------------------------------------------- exchanges

    def cut(
        self,
        piece: Piece,
        output: Output,
        logical: LogicalPlan | None = None,
        stop_after: int | None = None,
    ) -> int:
        """End the stage; its number."""
        stage = Stage(
            self.next_id,
            piece.op,
            piece.partitions,
            output,
            stop_after,
            piece.source,
            logical,
            piece.rows,
            tier=self.settings.tier,
        )
        self.next_id += 1
        self.stages.append(stage)
        return stage.id

    def gather(self, piece: Piece, logical: LogicalPlan | None = None) -> Piece:
        """All rows, in order, in one partition."""
        if piece.partitions == 1:
            return piece
        if isinstance(piece.op, ReadStage):
            return replace(piece, op=replace(piece.op, how="all"), partitions=1)
        stage = self.cut(piece, Output(), logical)
        return Piece(ReadStage(piece.op.schema, (stage,), "all"), 1, rows=piece.rows)

    def columns_to_keep(self, plan: LogicalPlan, need: Need) -> Need:
        """What a stage kept for `plan` must have: all columns if the plan stands elsewhere too."""
        return frozenset(plan.schema.names) if plan in self.repeated else need

    def keep(self, piece: Piece, plan: LogicalPlan) -> Piece:
        """The same partitions, as a stage of their own that others may read too."""
        stage = self.kept_stage(piece)
        if stage is None:
            stage = self.cut(piece, Output(), plan)
        self.shared_stages[plan] = stage
        return Piece(
            ReadStage(piece.op.schema, (stage,), "part"), piece.partitions, rows=piece.rows
        )

    def kept_stage(self, piece: Piece) -> int | None:
        """The stage of this step that gives exactly this piece, if there is one."""
        op = piece.op
        if isinstance(op, ReadStage) and op.how == "part" and len(op.stages) == 1:
            found = next((s for s in self.stages if s.id == op.stages[0]), None)
            if found is not None and found.output == Output():
                return found.id
        return None

    def shuffle(self, piece: Piece, keys: tuple[str, ...], parts: int) -> Piece:
        """Rows with equal keys in one partition."""
        if parts == 1:
            return self.gather(piece)
        stage = self.cut(piece, Output("hash", keys, parts))
        return Piece(ReadStage(piece.op.schema, (stage,), "part"), parts, rows=piece.rows)

    def at_home(self, piece: Piece) -> Piece:
        """The same partitions, to be read by several stages."""
        op = piece.op
        if isinstance(op, ReadStage) and op.how == "part":
            return piece
        if is_plain_scan(op) and not self._may_wait(piece):
            return piece  # reading them again is cheaper than writing them to a file first
        stage = self.cut(piece, Output())
        return Piece(ReadStage(op.schema, (stage,), "part"), piece.partitions, rows=piece.rows)

    def measure(self, plan: LogicalPlan, stage: int, pending_before: int) -> None:
        """Ask the driver to run and measure a stage first, if it can run now."""
        if self.adaptive and plan not in self.finished and len(self.pending) == pending_before:
            self.pending[plan] = stage

    def _needed_for(self, ids: Iterable[int]) -> tuple[Stage, ...]:
        by_id = {s.id: s for s in self.stages}
        needed: set[int] = set()
        stack = list(ids)
        while stack:
            number = stack.pop()
            if number in by_id and number not in needed:
                needed.add(number)
                stack.extend(by_id[number].inputs)
        return tuple(s for s in self.stages if s.id in needed)

    # -------------------------------------------------------------------------------- lowering

    def lower(self, plan: LogicalPlan, need: Need) -> Piece:
        """The rows of `plan`, with at least the columns of `need`."""
        done = self.finished.get(plan)
        if done is not None and not isinstance(plan, Limit):
            return read_finished(done)
        if plan not in self.shared:
            return self._lower(plan, need)
        piece = self.shared[plan]
        if piece is None:
            made = self._lower(plan, frozenset(plan.schema.names))
            piece = self.keep(made, plan)
            self.shared[plan] = piece
        return piece

    def _lower(self, plan: LogicalPlan, need: Need) -> Piece:
        rows = self.estimator.statistics(plan).rows
        match plan:
            case Scan():
                piece = self._lower_scan(plan)
            case Values():
                piece = Piece(ReadValues(plan.schema, plan.rows), 1)
            case Filter():
                piece = self._lower_filter(plan, need)
            case Project():
                piece = self._lower_project(plan, need)
            case Aggregate():
                piece = self._lower_aggregate(plan)
            case Join():
                piece = joins.lower_join(self, plan, need)
            case Sort():
                piece = lower_sort(self, plan, need)
            case Limit():
                piece = self._lower_limit(plan, need)
            case Distinct():
                piece = lower_distinct(self, plan)
            case Union():
                piece = self._lower_union(plan)
            case Window():
                piece = lower_window(self, plan)
            case RowNumber():
                piece = lower_row_number(self, plan)
            case MapPartitions():
                piece = self._lower_function(plan)
            case Write():
                piece = self._lower_write(plan)
            case _:
                raise NotImplementedError(type(plan).__name__)
        return replace(piece, rows=rows)

    def _lower_scan(self, plan: Scan) -> Piece:
        schema = plan.schema
        kept, pruned = _splits(plan)
        if not kept:
            return Piece(ReadValues(schema, ()), 1)
        op = ScanSplits(
            schema,
            tuple((s,) for s in kept),
            plan.name or plan.source.name,
            plan.predicate,
            pruned,
            self.settings.cache_bytes,
        )
        if not op.cache_bytes and (again := self.read_again.get(plan.identity)):
            op = replace(op, cache_bytes=self.settings.shared_bytes, cached=again)
        return Piece(op, len(kept), source=True)

    def _lower_filter(self, plan: Filter, need: Need) -> Piece:
        most = rows_wanted(plan)
        if most is not None and plan.input not in self.repeated:
            self.wanted[plan.input] = most
        child = self.lower(plan.input, need | columns_of(plan.predicate))
        op: PhysicalOp = Compute(child.op.schema, child.op, plan.predicate)
        extra = [n for n in child.op.schema.names if n not in need]
        if extra:
            op = compute(op, keep(child.op.schema, need))
        return replace(child, op=op)

    def _lower_project(self, plan: Project, need: Need) -> Piece:
        columns = tuple((n, e) for n, e in plan.columns if n in need)
        child = self.lower(plan.input, columns_of([e for _, e in columns]))
        return replace(child, op=compute(child.op, columns))

    def _lower_limit(self, plan: Limit, need: Need) -> Piece:
        most = None if plan.count is None else plan.count + plan.offset
        done = self.finished.get(plan)
        if done is not None and (plan.offset or plan.from_end):
            return read_finished(done)  # the build side of a join: the offset was taken already
        ahead = replace(plan, count=most, offset=0)
        done = self.finished.get(ahead)
        if done is not None:
            op: PhysicalOp = ReadStage(done.schema, (done.stage,), "all")
            return Piece(LimitRows(op.schema, op, plan.count, plan.offset), 1)
        before = len(self.pending)
        child = self.lower(plan.input, self.columns_to_keep(plan, need))
        if child.partitions > 1 and most is not None:
            local = LimitRows(child.op.schema, child.op, most, 0, plan.from_end)
            stop = None if plan.from_end else most
            stage = self.cut(replace(child, op=local), Output(), ahead, stop)
            if stop is not None:
                self.measure(ahead, stage, before)
            child = Piece(ReadStage(child.op.schema, (stage,), "all"), 1)
        child = self.gather(child)
        op = LimitRows(child.op.schema, child.op, plan.count, plan.offset, plan.from_end)
        return replace(child, op=op)

    def _lower_union(self, plan: Union) -> Piece:
        stages, partitions = [], 0
        for child_plan in plan.inputs:
            child = self.lower(child_plan, frozenset(child_plan.schema.names))
            child = self.in_order(child, plan.schema)
            stages.append(self.cut(child, Output(), child_plan))
            partitions += child.partitions
        return Piece(ReadStage(plan.schema, tuple(stages), "part"), partitions)

    def _lower_function(self, plan: MapPartitions) -> Piece:
        child = self.lower(plan.input, frozenset(plan.input.schema.names))
        child = self.in_order(child, plan.input.schema)
        if plan.whole:
            child = self.gather(child)
        op = ApplyFunction(plan.schema, child.op, plan.function, plan.key, plan.whole)
        return replace(child, op=op)

    def _lower_write(self, plan: Write) -> Piece:
        child = self.lower(plan.input, frozenset(plan.input.schema.names))
        child = self.in_order(child, plan.input.schema)
        options = dict(plan.options)
        if options.get("single_file"):
            child = self.gather(child)
        elif options.get("partition_on"):
            child = self._by_folder(child, plan, tuple(options["partition_on"]))
        where = (plan.path, plan.format, plan.options)
        op: PhysicalOp = WriteFiles(plan.schema, child.op, *where)
        stage = self.cut(replace(child, op=op), Output())
        op = ReadStage(plan.schema, (stage,), "all")
        return Piece(CommitFiles(plan.schema, op, *where), 1)

    def _by_folder(self, child: Piece, plan: Write, keys: tuple[str, ...]) -> Piece:
        """Rows of one folder in one task, where every task would otherwise write to all of many.

        Of a few folders each task writes its own rows: one task a folder would leave workers idle.
        """
        if child.partitions == 1:
            return child
        named = tuple((k, Column(k, plan.input.schema[k].type)) for k in keys)
        folders = self.estimator.statistics(Aggregate(plan.input, named, ())).rows
        workers = self.settings.workers
        if folders is not None and folders < 2 * workers:
            return child
        wanted = 4 * workers if folders is None else math.ceil(folders / _FOLDERS)
        rows = self.tasks_to_fit(child.rows, child.op.schema)
        return self.shuffle(child, keys, max(rows, min(_MOST_TASKS_TO_FIT, max(workers, wanted))))

    # ------------------------------------------------------------------------------- aggregate

    def _lower_aggregate(self, plan: Aggregate) -> Piece:
        exprs = [e for _, e in plan.keys]
        inputs = [e for _, call in plan.aggregates for e in _aggregate_inputs(call)]
        child = self.lower(plan.input, columns_of([*exprs, *inputs]))
        input_rows = child.rows
        columns = _name_expressions(exprs, inputs, plan.keys)
        needed = tuple((n, e) for e, n in columns.items()) + tuple(
            (n, e) for n, e in plan.keys if columns[e] != n
        )
        child = replace(child, op=compute(child.op, needed))
        keys = tuple(n for n, _ in plan.keys)
        by_expr = {e: Column(n, e.dtype) for e, n in columns.items()}
        calls = tuple((n, _call_over_columns(c, by_expr)) for n, c in plan.aggregates)
        if child.partitions == 1:
            return replace(child, op=GroupRows(plan.schema, child.op, keys, calls))
        groups = self.estimator.statistics(plan).rows
        parts = self._merge_tasks(keys, groups, plan.schema)
        split = decompose(calls)
        reduces = groups is None or input_rows is None or groups < 0.6 * input_rows
        if split is None or (keys and not reduces):
            # all rows are looked at where they are merged, however few groups they are
            shared = groups is None or groups >= self.settings.workers
            few = self.tasks_to_fit(input_rows, child.op.schema)
            parts = max(parts, self.tasks_for(child) if shared else few)
            child = self.shuffle(child, keys, parts) if keys else self.gather(child)
            return replace(child, op=GroupRows(plan.schema, child.op, keys, calls))
        key_fields = [(n, e.dtype) for n, e in plan.keys]
        partial = Schema.of([*key_fields, *((n, c.dtype) for n, c in split.partial)])
        op: PhysicalOp = GroupRows(partial, child.op, keys, split.partial, "partial")
        child = replace(child, op=op, rows=None)
        child = self.shuffle(child, keys, parts) if parts > 1 else self.gather(child)
        merged = Schema.of([*key_fields, *((n, c.dtype) for n, c in split.merge)])
        op = GroupRows(merged, child.op, keys, split.merge, "merge")
        kept = tuple((n, Column(n, dtype)) for n, dtype in key_fields)
        return replace(child, op=compute(op, (*kept, *split.final)))

    def _merge_tasks(self, keys: tuple[str, ...], groups: float | None, schema: Schema) -> int:
        if not keys or groups is None:
            return 1
        to_fit = self.tasks_to_fit(groups, schema)
        if groups <= self.settings.gather_groups and to_fit == 1:
            return 1
        return max(self._tasks(groups), to_fit)

    def tasks_for(self, piece: Piece) -> int:
        """How many tasks are to share work that takes an exchange: one if there are few rows."""
        to_fit = self.tasks_to_fit(piece.rows, piece.op.schema)
        few = piece.rows is None or piece.rows <= self.settings.gather_rows
        if to_fit == 1 and (few or piece.partitions == 1):
            return 1
        return max(self._tasks(piece.rows or 0), to_fit)

    def _tasks(self, rows: float) -> int:
        return max(self.settings.workers, min(_MOST_TASKS, int(rows // 1_000_000)))

    def _may_wait(self, piece: Piece) -> bool:
        """Whether there is memory to keep rows until all tasks gave theirs."""
        limit = self.settings.result_bytes
        return limit is None or _size(piece.rows or 0, piece.op.schema) <= limit

    def tasks_to_fit(self, rows: float | None, schema: Schema) -> int:
        """Into how many tasks rows are to be parted for each to have them in memory."""
        if rows is None or self.settings.task_bytes is None:
            return 1
        size = _size(rows, schema)
        return max(1, min(_MOST_TASKS_TO_FIT, math.ceil(size / self.settings.task_bytes)))

    # ------------------------------------------------------------------------------------ other

    def in_order(self, piece: Piece, schema: Schema) -> Piece:
        """Exactly the columns of `schema`, in its order."""
        if piece.op.schema.names == schema.names:
            return piece
        return replace(piece, op=compute(piece.op, keep(piece.op.schema, schema.names)))


def _size(rows: float, schema: Schema) -> float:
    return rows * sum(map(field_width, schema))


def read_finished(done: Finished) -> Piece:
    """The rows of a stage that ran, partition by partition."""
    op = ReadStage(done.schema, (done.stage,), "part")
    return Piece(op, done.partitions, rows=done.statistics.rows)


def _name_expressions(
    keys: Sequence[Expr], inputs: Sequence[Expr], named_keys: Sequence[Named]
) -> dict[Expr, str]:
    """A column name for every key and aggregate input: keys keep their output names."""
    names: dict[Expr, str] = {}
    taken = {n for n, _ in named_keys}
    for (name, e), _ in zip(named_keys, keys, strict=True):
        names.setdefault(e, name)
    for e in inputs:
        if e in names:
            continue
        plain = isinstance(e, Column) and e.name not in taken
        names[e] = e.name if plain and isinstance(e, Column) else fresh_name(taken)
        taken.add(names[e])
    return names


def _aggregate_inputs(call: AggregateCall) -> tuple[Expr, ...]:
    order = tuple(k.expr for k in call.order_by)
    return (*call.args, *order, *(() if call.filter is None else (call.filter,)))


def _call_over_columns(call: AggregateCall, columns: Mapping[Expr, Column]) -> AggregateCall:
    return replace(
        call,
        args=tuple(columns[a] for a in call.args),
        filter=None if call.filter is None else columns[call.filter],
        order_by=tuple(replace(k, expr=columns[k.expr]) for k in call.order_by),
    )


def _costs_more_than_a_scan(plan: LogicalPlan) -> bool:
    return any(isinstance(p, Join | Aggregate | Sort) for p in plan.walk())


@per_node  # every step of a plan asks again
def _read_again(root: LogicalPlan) -> Mapping[str, frozenset[str]]:
    """By source, the columns that more than one scan of a plan reads."""
    scans = (p for p in root.walk() if isinstance(p, Scan) and p.identity)
    counts = Counter((scan.identity, name) for scan in scans for name in scan.schema.names)
    found: dict[str, frozenset[str]] = {}
    for (identity, name), count in counts.items():
        if count > 1:
            found[identity] = found.get(identity, frozenset()) | {name}
    return found


@per_node  # every step of a plan asks again
def _splits(plan: Scan) -> tuple[tuple[Split, ...], int]:
    """The pieces of a table that may hold rows that match, and how many may not."""
    splits = plan.source.splits(plan.schema.names)
    if plan.predicate is None:
        return splits, 0
    kept = tuple(s for s in splits if can_match(plan.predicate, s.ranges, s.rows))
    return kept, len(splits) - len(kept)


@deep_trees
def plan_step(
    root: LogicalPlan,
    settings: Settings,
    finished: Mapping[LogicalPlan, Finished],
    *,
    adaptive: bool = True,
    next_id: int = 0,
    estimator: Estimator | None = None,
) -> Step:
    """The next stages to run towards the rows of `root`, given what already ran.

    `estimator` may bring what the optimizer estimated already, while nothing is measured.
    """
    if finished or estimator is None:
        estimator = Estimator({plan: done.statistics for plan, done in finished.items()})
    return StagePlanner(settings, finished, adaptive, next_id, estimator).plan(root)
