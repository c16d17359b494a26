"""Golden files: SQL statements with the plans that rules make of them.

    -- rules: simplify_joins, push_down_filter
    -- tables: small

    -- a comment
    select ...
    =>
    Project ...
      Scan ...

Cases are separated by blank lines. Required rules run in any case, in their place.
`--update-golden` writes the plans anew; read the diff before committing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plait.engine.kernels.evaluate import constant
from plait.planner.expr import Expr, Literal
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.pipeline import RULES
from plait.planner.optimizer.rule import Rule, RuleContext

FOLDER = Path(__file__).resolve().parents[2] / "golden"


@dataclass(frozen=True)
class Case:
    """A statement and the expected plan; comments lead it."""

    file: str
    number: int
    comments: tuple[str, ...]
    sql: str
    plan: str

    def __str__(self) -> str:
        return f"{self.file}-{self.number}"

    def with_plan(self, plan: LogicalPlan) -> str:
        """The case as its file has it, with this plan."""
        return "\n".join([*self.comments, self.sql, "=>", str(plan)])


@dataclass(frozen=True)
class Golden:
    """A file of cases for some rules."""

    path: Path
    header: str
    tables: str
    rules: tuple[str, ...]
    cases: tuple[Case, ...]

    @property
    def applied(self) -> tuple[Rule, ...]:
        """The rules under test and the required ones, in the order of the pipeline."""
        if self.rules == ("all",):
            return RULES
        known = {r.name for r in RULES}
        assert set(self.rules) <= known, f"{self.path.name}: {set(self.rules) - known}"
        return tuple(r for r in RULES if r.name in self.rules or r.required)

    def write(self, plans: dict[Case, LogicalPlan]) -> None:
        """The file with new plans."""
        cases = [case.with_plan(plans[case]) for case in self.cases]
        self.path.write_text("\n\n".join([self.header, *cases]) + "\n")


def load(path: Path) -> Golden:
    """Read a golden file."""
    header, *blocks = path.read_text().strip().split("\n\n")
    settings = dict(line.removeprefix("-- ").split(": ", 1) for line in header.splitlines())
    cases = []
    for number, block in enumerate(blocks, 1):
        text, _, plan = block.partition("\n=>")
        lines = text.splitlines()
        comments = tuple(line for line in lines if line.startswith("--"))
        sql = "\n".join(line for line in lines if not line.startswith("--"))
        cases.append(Case(path.stem, number, comments, sql, plan.removeprefix("\n")))
    rules = tuple(name.strip() for name in settings["rules"].split(","))
    return Golden(path, header, settings.get("tables", "small"), rules, tuple(cases))


def files() -> list[Golden]:
    """All golden files."""
    return [load(path) for path in sorted(FOLDER.glob("*.sql"))]


def fold(expr: Expr) -> Literal | None:
    """Constants as the engine's kernels work them out; an error leaves them to be run."""
    try:
        return constant(expr)
    except (ValueError, ArithmeticError):
        return None


def context() -> RuleContext:
    """A fresh context for one plan."""
    return RuleContext(fold=fold)
